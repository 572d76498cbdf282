//! From text to requirements: words first, then a recursive descent over them.

use std::iter::Peekable;

use super::{
    Condition, MAX_SELECTOR_BYTES, Requirement, RequirementError, SelectorError,
    syntax::{check_key, check_value},
};

/// Reads a list of requirements in the order of the text.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, SelectorError> {
    if text.len() > MAX_SELECTOR_BYTES {
        return Err(SelectorError::TooLong(text.len()));
    }
    let unexpected = |word: Word<'_>, expected| {
        Err(SelectorError::Unexpected { found: word.text().to_owned(), expected })
    };
    let mut words = Words::new(text);
    let mut requirements = Vec::new();
    match words.peek() {
        Word::End => return Ok(requirements),
        Word::Name(_) | Word::Symbol("!") => {}
        other @ Word::Symbol(_) => return unexpected(other, "!, identifier, or 'end of string'"),
    }
    loop {
        requirements.push(requirement(&mut words).map_err(SelectorError::Requirement)?);
        match words.next() {
            Word::End => return Ok(requirements),
            Word::Symbol(",") => {}
            other => return unexpected(other, "',' or 'end of string'"),
        }
        match words.peek() {
            Word::Name(_) | Word::Symbol("!") => {}
            other => return unexpected(other, "identifier after ','"),
        }
    }
}

fn requirement(words: &mut Words<'_>) -> Result<Requirement, RequirementError> {
    let (negated, key) = match words.next() {
        Word::Symbol("!") => (true, words.next()),
        word => (false, word),
    };
    let Word::Name(key) = key else {
        return unexpected(key, "identifier");
    };
    check_key(key).map_err(|reason| RequirementError::Key { key: key.to_owned(), reason })?;
    let condition = match words.peek() {
        _ if negated => Condition::DoesNotExist,
        Word::End | Word::Symbol(",") => Condition::Exists,
        _ => match words.next() {
            Word::Symbol("=" | "==") => Condition::Equals(value(words, key)?),
            Word::Symbol("!=") => Condition::NotEquals(value(words, key)?),
            Word::Symbol(">") => Condition::GreaterThan(number(words)?),
            Word::Symbol("<") => Condition::LessThan(number(words)?),
            Word::Name("in") => Condition::In(values(words, key)?),
            Word::Name("notin") => Condition::NotIn(values(words, key)?),
            other => return unexpected(other, "in, notin, =, ==, !=, gt, lt"),
        },
    };
    Ok(Requirement { key: key.to_owned(), condition })
}

/// One value, which may be empty.
fn value(words: &mut Words<'_>, key: &str) -> Result<String, RequirementError> {
    let value = bare_value(words)?;
    checked(key, 0, value)?;
    Ok(value.to_owned())
}

fn number(words: &mut Words<'_>) -> Result<i64, RequirementError> {
    let value = bare_value(words)?;
    value.parse().map_err(|_| RequirementError::Value {
        path: "values[0]".to_owned(),
        value: value.to_owned(),
        reason: "for 'Gt', 'Lt' operators, the value must be an integer".to_owned(),
    })
}

fn bare_value<'a>(words: &mut Words<'a>) -> Result<&'a str, RequirementError> {
    match words.peek() {
        Word::End | Word::Symbol(",") => Ok(""),
        Word::Name(value) => {
            words.next();
            Ok(value)
        }
        other @ Word::Symbol(_) => unexpected(other, "identifier"),
    }
}

/// A parenthesised list of values, each of which may be empty, without its doubles.
fn values(words: &mut Words<'_>, key: &str) -> Result<Vec<String>, RequirementError> {
    match words.next() {
        Word::Symbol("(") => {}
        other => return unexpected(other, "'('"),
    }
    let mut values = Vec::new();
    loop {
        let value = match words.peek() {
            Word::Name(value) => {
                words.next();
                value
            }
            Word::Symbol("," | ")") => "",
            other => return unexpected(other, "',', ')' or identifier"),
        };
        values.push(value.to_owned());
        match words.next() {
            Word::Symbol(",") => {}
            Word::Symbol(")") => break,
            other => return unexpected(other, "',' or ')'"),
        }
    }
    values.sort_unstable();
    values.dedup();
    for (nth, value) in values.iter().enumerate() {
        checked(key, nth, value)?;
    }
    Ok(values)
}

fn checked(key: &str, nth: usize, value: &str) -> Result<(), RequirementError> {
    check_value(value).map_err(|reason| RequirementError::Value {
        path: format!("values[{nth}][{key}]"),
        value: value.to_owned(),
        reason,
    })
}

fn unexpected<T>(word: Word<'_>, expected: &'static str) -> Result<T, RequirementError> {
    Err(RequirementError::Unexpected { found: word.text().to_owned(), expected })
}

/// A word of a selector.
#[derive(Clone, Copy)]
enum Word<'a> {
    /// A key or a value; also `in` and `notin`, which are words like others elsewhere.
    Name(&'a str),
    /// One of `= == != ! > < ( ) ,`.
    Symbol(&'a str),
    End,
}

impl<'a> Word<'a> {
    const fn text(self) -> &'a str {
        match self {
            Self::Name(text) | Self::Symbol(text) => text,
            Self::End => "",
        }
    }
}

/// The words of a text, then [`Word::End`] for ever.
struct Words<'a> {
    words: Peekable<Split<'a>>,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self { words: Split { rest: text }.peekable() }
    }

    fn peek(&mut self) -> Word<'a> {
        self.words.peek().copied().unwrap_or(Word::End)
    }

    fn next(&mut self) -> Word<'a> {
        self.words.next().unwrap_or(Word::End)
    }
}

struct Split<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Split<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];
        const SYMBOL: [char; 7] = ['=', '!', '(', ')', ',', '>', '<'];
        let text = self.rest.trim_start_matches(SPACE);
        let first = text.chars().next()?;
        let symbol = SYMBOL.contains(&first);
        let end = if text.starts_with("==") || text.starts_with("!=") {
            2
        } else if symbol {
            1
        } else {
            text.find(|c| SPACE.contains(&c) || SYMBOL.contains(&c)).unwrap_or(text.len())
        };
        let (word, rest) = text.split_at_checked(end)?;
        self.rest = rest;
        Some(if symbol { Word::Symbol(word) } else { Word::Name(word) })
    }
}
