//! The protobuf form: JSON written as the messages of gnostic, by tables.
//!
//! A table says which member of an object becomes which field. The tables have what our documents
//! use of `OpenAPIv2.proto` and `OpenAPIv3.proto`; a test holds that they use nothing else.

use serde_json::{Map, Value};

mod v2;
mod v3;

pub(super) use v2::DOCUMENT as V2;
pub(super) use v3::DOCUMENT as V3;

/// How a JSON value becomes a message.
#[derive(Debug)]
pub(super) enum Shape {
    /// An object whose members become fields by their names.
    Object {
        members: &'static [(&'static str, u32, Form)],
        /// For members beginning with `x-`: repeated pairs of a name and YAML.
        extensions: u32,
    },
    /// An object with arbitrary names: repeated pairs of a name and a message.
    Pairs(u32, &'static Self),
    /// A value or a list of values, which is written as a list either way.
    List(u32, Form),
    /// A message around the same value: the field of the first alternative that fits.
    OneOf(&'static [(Fit, u32, &'static Self)]),
}

/// How a member becomes a field.
#[derive(Debug)]
pub(super) enum Form {
    Text,
    Flag,
    Texts,
    Message(&'static Shape),
    Messages(&'static Shape),
}

/// When an alternative is the right one.
#[derive(Debug)]
pub(super) enum Fit {
    Always,
    /// Where an object has a member.
    Has(&'static str),
    /// Where a member of an object is a certain text.
    Is(&'static str, &'static str),
}

/// Writes a message. What a table does not name is left out.
pub(super) fn encode(value: &Value, shape: &Shape) -> Vec<u8> {
    let mut out = Vec::new();
    match shape {
        Shape::Object { members, extensions } => {
            for (name, number, form) in *members {
                if let Some(member) = value.get(name) {
                    field(&mut out, *number, member, form);
                }
            }
            for (name, extension) in entries(value).filter(|(name, _)| name.starts_with("x-")) {
                pair(&mut out, *extensions, name, &yaml(extension));
            }
        }
        Shape::Pairs(number, shape) => {
            for (name, member) in entries(value) {
                pair(&mut out, *number, name, &encode(member, shape));
            }
        }
        Shape::List(number, form) => match value {
            Value::Array(values) => values.iter().for_each(|v| field(&mut out, *number, v, form)),
            single => field(&mut out, *number, single, form),
        },
        Shape::OneOf(alternatives) => {
            if let Some((_, number, shape)) = alternatives.iter().find(|(fit, ..)| fit.fits(value))
            {
                delimited(&mut out, *number, &encode(value, shape));
            }
        }
    }
    out
}

impl Fit {
    fn fits(&self, value: &Value) -> bool {
        match self {
            Self::Always => true,
            Self::Has(name) => value.get(name).is_some(),
            Self::Is(name, text) => value.get(name).is_some_and(|value| value == text),
        }
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// Writes a field. As in proto3, nothing is written for an empty text or `false`.
fn field(out: &mut Vec<u8>, number: u32, value: &Value, form: &Form) {
    match (form, value) {
        (Form::Text, Value::String(text)) if !text.is_empty() => {
            delimited(out, number, text.as_bytes());
        }
        (Form::Flag, Value::Bool(true)) => {
            varint(out, u64::from(number) << 3);
            varint(out, 1);
        }
        (Form::Texts, Value::Array(texts)) => {
            texts
                .iter()
                .filter_map(Value::as_str)
                .for_each(|text| delimited(out, number, text.as_bytes()));
        }
        (Form::Message(shape), value) => delimited(out, number, &encode(value, shape)),
        (Form::Messages(shape), Value::Array(values)) => {
            values.iter().for_each(|value| delimited(out, number, &encode(value, shape)));
        }
        (Form::Text | Form::Flag | Form::Texts | Form::Messages(_), _) => {}
    }
}

/// Writes a pair: 1 the name, 2 the message.
fn pair(out: &mut Vec<u8>, number: u32, name: &str, message: &[u8]) {
    let mut pair = Vec::new();
    delimited(&mut pair, 1, name.as_bytes());
    delimited(&mut pair, 2, message);
    delimited(out, number, &pair);
}

/// Writes the message `Any`, of which gnostic sets the text alone: 2, in YAML.
fn yaml(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    // A tree of texts can always be written.
    let text = serde_saphyr::to_string(value);
    debug_assert!(text.is_ok(), "{text:?}");
    delimited(&mut out, 2, text.unwrap_or_default().as_bytes());
    out
}

/// Writes a field whose length stands before it.
fn delimited(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    const LENGTH_DELIMITED: u64 = 2;
    varint(out, u64::from(number) << 3 | LENGTH_DELIMITED);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Writes a number, seven bits a byte, the lowest first.
fn varint(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}
