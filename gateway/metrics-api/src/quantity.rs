//! Quantities: numbers as Kubernetes writes them, such as `1500m`, `4k` or `2Gi`.
//!
//! Values come in as `f64` and leave as text. The text is canonical: no fraction, the mantissa as
//! small and the suffix as large as possible, so that equal values have equal bytes.
//!
//! A quantity made from a float is a whole number of thousandths, which is all that an autoscaler
//! reads; one made from text keeps billionths, which is all that Kubernetes keeps.

use std::{fmt, num::IntErrorKind, str::FromStr};

use serde::{Serialize, Serializer};
use thiserror::Error;

/// The largest magnitude made from a float: an autoscaler reads thousandths as an `i64`, which
/// ends at 9 223 372 036 854 775 units.
pub const MAX_VALUE: f64 = 9.2e15;

/// Digits of a mantissa in text: what surely fits an `i128`.
pub const MAX_DIGITS: usize = 38;

/// Billionths of one unit.
const NANO: i128 = 1_000_000_000;

/// The largest magnitude read from text, in billionths: Kubernetes ends at 2^63 - 1 units.
const MAX_NANO: i128 = i64::MAX as i128 * NANO;

/// A number with a family of suffixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    nano: i128,
    family: Family,
}

/// The suffixes in which a quantity is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `n u m` and `k M G T P E`: powers of 1000.
    DecimalSi,
    /// `Ki Mi Gi Ti Pi Ei`: powers of 1024.
    BinarySi,
    /// `e3`, `e-3`: powers of ten.
    DecimalExponent,
}

/// Why a float has no quantity.
#[derive(Clone, Copy, Debug, Error, PartialEq)]
pub enum RangeError {
    /// NaN or an infinity.
    #[error("{0} is not a number that Kubernetes can read")]
    NotFinite(f64),
    /// Beyond [`MAX_VALUE`].
    #[error("{0} is beyond ±{MAX_VALUE:e}, the largest number that an autoscaler can read")]
    TooLarge(f64),
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ParseError {
    /// Something else than sign, digits with at most one dot, suffix.
    #[error(
        "quantities must match the regular expression \
         '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    Syntax,
    /// A suffix that is none.
    #[error("unable to parse quantity's suffix")]
    Suffix,
    /// More than [`MAX_DIGITS`] digits, or beyond 2^63 - 1.
    #[error("the quantity has more than {MAX_DIGITS} digits or is beyond 2^63 - 1")]
    TooLarge,
}

impl Quantity {
    /// The number in units, for tests and for people.
    pub fn to_f64(self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "a float is what was asked for")]
        let nano = self.nano as f64;
        nano / 1e9
    }

    /// The number in thousandths, rounded up, as an autoscaler reads it.
    pub fn milli_value(self) -> i128 {
        let micro = NANO / 1000;
        self.nano.div_euclid(micro) + i128::from(self.nano.rem_euclid(micro) != 0)
    }

    /// The same number in another family of suffixes.
    #[must_use]
    pub const fn in_family(self, family: Family) -> Self {
        Self { nano: self.nano, family }
    }
}

impl TryFrom<f64> for Quantity {
    type Error = RangeError;

    /// Rounds to the nearest thousandth, but nothing else than zero to zero: "some" must not read
    /// as "none".
    fn try_from(value: f64) -> Result<Self, RangeError> {
        if !value.is_finite() {
            return Err(RangeError::NotFinite(value));
        }
        if value.abs() > MAX_VALUE {
            return Err(RangeError::TooLarge(value));
        }
        // Whole and fraction apart: 9.2e15 * 1000 has no exact float.
        let thousandths = (value.fract() * 1000.0).round();
        #[allow(clippy::cast_possible_truncation, reason = "both are whole and within ±9.2e15")]
        let milli = (value.trunc() as i128) * 1000 + (thousandths as i128);
        let milli = match milli {
            0 if value > 0.0 => 1,
            0 if value < 0.0 => -1,
            milli => milli,
        };
        Ok(Self { nano: milli * (NANO / 1000), family: Family::DecimalSi })
    }
}

impl FromStr for Quantity {
    type Err = ParseError;

    /// Reads every spelling that Kubernetes reads; digits below a billionth round away from zero.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (negative, text) = match text.as_bytes().first() {
            Some(b'-') => (true, text.get(1..).unwrap_or_default()),
            Some(b'+') => (false, text.get(1..).unwrap_or_default()),
            _ => (false, text),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at_checked(end).ok_or(ParseError::Syntax)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let mantissa = digits(whole, fraction)?;
        let (multiplier, exponent, family) = scale(suffix)?;

        let fraction = i64::try_from(fraction.len()).map_err(|_| ParseError::TooLarge)?;
        let power = exponent.saturating_add(9).saturating_sub(fraction);
        let unscaled = mantissa.checked_mul(multiplier).ok_or(ParseError::TooLarge)?;
        let nano = times_power_of_ten(unscaled, power).ok_or(ParseError::TooLarge)?;
        if nano > MAX_NANO {
            return Err(ParseError::TooLarge);
        }
        Ok(Self { nano: if negative { -nano } else { nano }, family })
    }
}

/// The digits on both sides of the dot as one number.
fn digits(whole: &str, fraction: &str) -> Result<i128, ParseError> {
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
        return Err(ParseError::Syntax);
    }
    let significant = || whole.bytes().chain(fraction.bytes()).skip_while(|digit| *digit == b'0');
    if significant().count() > MAX_DIGITS {
        return Err(ParseError::TooLarge);
    }
    Ok(significant().fold(0, |sum, digit| sum * 10 + i128::from(digit - b'0')))
}

/// What a suffix multiplies by: a factor, a power of ten, and its family.
fn scale(suffix: &str) -> Result<(i128, i64, Family), ParseError> {
    use Family::{BinarySi, DecimalExponent, DecimalSi};
    Ok(match suffix {
        "n" => (1, -9, DecimalSi),
        "u" => (1, -6, DecimalSi),
        "m" => (1, -3, DecimalSi),
        "" => (1, 0, DecimalSi),
        "k" => (1, 3, DecimalSi),
        "M" => (1, 6, DecimalSi),
        "G" => (1, 9, DecimalSi),
        "T" => (1, 12, DecimalSi),
        "P" => (1, 15, DecimalSi),
        "E" => (1, 18, DecimalSi),
        "Ki" => (1 << 10, 0, BinarySi),
        "Mi" => (1 << 20, 0, BinarySi),
        "Gi" => (1 << 30, 0, BinarySi),
        "Ti" => (1 << 40, 0, BinarySi),
        "Pi" => (1 << 50, 0, BinarySi),
        "Ei" => (1 << 60, 0, BinarySi),
        _ => {
            let exponent = suffix.strip_prefix(['e', 'E']).ok_or(ParseError::Suffix)?;
            match exponent.parse::<i64>() {
                Ok(exponent) => (1, exponent, DecimalExponent),
                Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
                    (1, i64::MAX, DecimalExponent)
                }
                Err(error) if *error.kind() == IntErrorKind::NegOverflow => {
                    (1, i64::MIN, DecimalExponent)
                }
                Err(_) => return Err(ParseError::Suffix),
            }
        }
    })
}

/// `number * 10^power` for a number that is not negative, rounded up; `None` where it overflows.
fn times_power_of_ten(number: i128, power: i64) -> Option<i128> {
    if number == 0 {
        return Some(0);
    }
    let ten_to =
        |power: u64| u32::try_from(power).ok().and_then(|power| 10_i128.checked_pow(power));
    let factor = ten_to(power.unsigned_abs());
    if power >= 0 {
        return number.checked_mul(factor?);
    }
    Some(match factor {
        Some(factor) => number / factor + i128::from(number % factor != 0),
        None => 1,
    })
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: i128 = 1024;
        match self.family {
            // Below 1Ki, or with a fraction, a binary suffix says nothing.
            Family::BinarySi if self.nano % NANO == 0 && self.nano.abs() >= KIB * NANO => {
                let suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
                let (mantissa, suffix) = reduce(self.nano / NANO, KIB, &suffixes);
                write!(out, "{mantissa}{suffix}")
            }
            Family::DecimalSi | Family::BinarySi => {
                let suffixes = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
                match reduce(self.nano, 1000, &suffixes) {
                    (0, _) => out.write_str("0"),
                    (mantissa, suffix) => write!(out, "{mantissa}{suffix}"),
                }
            }
            Family::DecimalExponent => {
                let suffixes = ["e-9", "e-6", "e-3", "", "e3", "e6", "e9", "e12", "e15", "e18"];
                match reduce(self.nano, 1000, &suffixes) {
                    (0, _) => out.write_str("0"),
                    (mantissa, suffix) => write!(out, "{mantissa}{suffix}"),
                }
            }
        }
    }
}

/// Divides by `base` while that leaves a whole number, one suffix further each time.
fn reduce<'a>(mut mantissa: i128, base: i128, suffixes: &[&'a str]) -> (i128, &'a str) {
    let mut chosen = "";
    for (nth, suffix) in suffixes.iter().enumerate() {
        if nth > 0 {
            let Some(divided) = divide(mantissa, base) else { break };
            mantissa = divided;
        }
        chosen = suffix;
    }
    (mantissa, chosen)
}

/// The quotient, if nothing remains. Processors divide what fits into 64 bits, the rest is a routine.
fn divide(number: i128, by: i128) -> Option<i128> {
    match (i64::try_from(number), i64::try_from(by)) {
        (Ok(number), Ok(by)) => (number % by == 0).then(|| i128::from(number / by)),
        _ => (number % by == 0).then(|| number / by),
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests;
