use proptest::prelude::*;

use super::*;

fn text(value: f64) -> String {
    Quantity::try_from(value).unwrap().to_string()
}

#[test]
fn floats_have_the_text_that_kubernetes_gives_them() {
    let table = [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (1.5, "1500m"),
        (0.25, "250m"),
        (0.1 + 0.2, "300m"),
        (0.0005, "1m"),
        (1.0005, "1"),
        (1e-10, "1m"),
        (-1e-10, "-1m"),
        (-5.0, "-5"),
        (-1.5, "-1500m"),
        (1000.0, "1k"),
        (1024.0, "1024"),
        (1500.0, "1500"),
        (1_000_000.0, "1M"),
        (1e9, "1G"),
        (1e12, "1T"),
        (1e15, "1P"),
        (9.2e15, "9200T"),
        (-9.2e15, "-9200T"),
        (9_007_199_254_740_993.0, "9007199254740992"), // 2^53 + 1 is no float; 2^53 is
        (9_007_199_254_740_991.0, "9007199254740991"),
        (4_503_599_627_370_495.5, "4503599627370495500m"),
    ];
    for (value, want) in table {
        assert_eq!(text(value), want, "of {value}");
    }
}

#[test]
fn what_an_autoscaler_cannot_read_has_no_quantity() {
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(Quantity::try_from(value), Err(RangeError::NotFinite(_))));
    }
    for value in [9.200_000_000_000_002e15, -9.3e15, f64::MAX] {
        assert_eq!(Quantity::try_from(value), Err(RangeError::TooLarge(value)));
    }
    let error = Quantity::try_from(1e16).unwrap_err();
    assert_eq!(
        error.to_string(),
        "10000000000000000 is beyond ±9.2e15, the largest number that an autoscaler can read"
    );
}

#[test]
fn every_suffix_is_read_and_written_back_in_canonical_form() {
    let table = [
        ("0", "0"),
        ("0Ki", "0"),
        ("0e9", "0"),
        ("+5", "5"),
        ("-5", "-5"),
        (".5", "500m"),
        ("5.", "5"),
        ("1.5", "1500m"),
        ("0.0001", "100u"),
        ("0.0000000001", "1n"),
        ("-0.0000000001", "-1n"),
        ("1500000u", "1500m"),
        ("1000000000n", "1"),
        ("1000m", "1"),
        ("1000", "1k"),
        ("1e3", "1e3"),
        ("1E3", "1e3"),
        ("1500e0", "1500"),
        ("100e-6", "100e-6"),
        ("1e-99", "1e-9"),
        ("1024", "1024"),
        ("1Ki", "1Ki"),
        ("1024Ki", "1Mi"),
        ("1.5Ki", "1536"),
        ("1023.5Ki", "1048064"),
        ("0.5Ki", "512"),
        ("1.0001Ki", "1024102400u"),
        ("2Gi", "2Gi"),
        ("3Ti", "3Ti"),
        ("4Pi", "4Pi"),
        ("7Ei", "7Ei"),
        ("1E", "1E"),
        ("2P", "2P"),
        ("3T", "3T"),
        ("9223372036854775807", "9223372036854775807"),
        ("00000000000000000000000000000000000000000001", "1"),
    ];
    for (input, want) in table {
        let quantity: Quantity = input.parse().unwrap_or_else(|error| panic!("{input}: {error}"));
        assert_eq!(quantity.to_string(), want, "of {input}");
    }
}

#[test]
fn what_is_no_quantity_is_refused() {
    let table = [
        ("", ParseError::Syntax),
        ("-", ParseError::Syntax),
        (".", ParseError::Syntax),
        ("1.2.3", ParseError::Syntax),
        ("--1", ParseError::Syntax),
        ("m", ParseError::Syntax),
        ("1 ", ParseError::Suffix),
        ("1K", ParseError::Suffix),
        ("1ki", ParseError::Suffix),
        ("1e", ParseError::Suffix),
        ("1e3m", ParseError::Suffix),
        ("1é", ParseError::Suffix),
        ("8Ei", ParseError::TooLarge),
        ("10E", ParseError::TooLarge),
        ("1e99999999999999999999", ParseError::TooLarge),
        ("123456789012345678901234567890123456789", ParseError::TooLarge),
    ];
    for (input, want) in table {
        assert_eq!(input.parse::<Quantity>(), Err(want), "of {input:?}");
    }
}

#[test]
fn an_autoscaler_reads_thousandths_rounded_up() {
    let table = [("0", 0), ("1n", 1), ("-1n", 0), ("1500m", 1500), ("1k", 1_000_000)];
    for (input, want) in table {
        assert_eq!(input.parse::<Quantity>().unwrap().milli_value(), want, "of {input}");
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back_as_the_same_number(value in -MAX_VALUE..=MAX_VALUE) {
        let quantity = Quantity::try_from(value).unwrap();
        prop_assert_eq!(quantity.to_string().parse::<Quantity>(), Ok(quantity));
        prop_assert!((quantity.to_f64() - value).abs() <= 0.0005 + value.abs() * 1e-15);
    }

    #[test]
    fn small_numbers_read_back_as_well(value in -10.0..10.0) {
        let quantity = Quantity::try_from(value).unwrap();
        prop_assert_eq!(quantity.to_string().parse::<Quantity>(), Ok(quantity));
        prop_assert_eq!(quantity.to_f64() == 0.0, value == 0.0);
    }

    #[test]
    fn every_family_reads_back_as_the_same_number(
        nano in -MAX_NANO..=MAX_NANO,
        family in prop::sample::select(&[Family::DecimalSi, Family::BinarySi, Family::DecimalExponent]),
    ) {
        let quantity = Quantity { nano, family };
        let back: Quantity = quantity.to_string().parse().unwrap();
        prop_assert_eq!(back.nano, nano);
        prop_assert_eq!(back.to_string().parse::<Quantity>(), Ok(back));
    }

    #[test]
    fn no_text_panics(text in "[+-]?[0-9.]{0,45}[eEinumkKMGTP]{0,3}[-+]?[0-9]{0,22}|.{0,40}") {
        if let Ok(quantity) = text.parse::<Quantity>() {
            prop_assert_eq!(quantity.to_string().parse::<Quantity>().unwrap().nano, quantity.nano);
        }
    }
}
