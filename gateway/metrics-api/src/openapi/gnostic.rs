//! The protobuf form: JSON written as the messages of gnostic, by tables.
//!
//! A table says which member of an object becomes which field. The tables have what our documents
//! use of `OpenAPIv2.proto` and `OpenAPIv3.proto`; a test holds that they use nothing else.

use serde_json::{Map, Value};

use crate::encoding::Message;

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
    write(&mut Message::new(&mut out), value, shape);
    out
}

fn write(message: &mut Message<'_>, value: &Value, shape: &Shape) {
    match shape {
        Shape::Object { members, extensions } => {
            for (name, number, form) in *members {
                if let Some(member) = value.get(name) {
                    field(message, *number, member, form);
                }
            }
            for (name, extension) in entries(value).filter(|(name, _)| name.starts_with("x-")) {
                message.message(*extensions, |pair| {
                    pair.string(1, name);
                    pair.message(2, |any| any.string(2, &yaml(extension)));
                });
            }
        }
        Shape::Pairs(number, shape) => {
            for (name, member) in entries(value) {
                message.message(*number, |pair| {
                    pair.string(1, name);
                    pair.message(2, |inner| write(inner, member, shape));
                });
            }
        }
        Shape::List(number, form) => match value {
            Value::Array(values) => values.iter().for_each(|v| field(message, *number, v, form)),
            single => field(message, *number, single, form),
        },
        Shape::OneOf(alternatives) => {
            if let Some((_, number, shape)) = alternatives.iter().find(|(fit, ..)| fit.fits(value))
            {
                message.message(*number, |inner| write(inner, value, shape));
            }
        }
    }
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
fn field(message: &mut Message<'_>, number: u32, value: &Value, form: &Form) {
    match (form, value) {
        (Form::Text, Value::String(text)) if !text.is_empty() => message.string(number, text),
        (Form::Flag, Value::Bool(true)) => message.boolean(number, true),
        (Form::Texts, Value::Array(texts)) => {
            let texts = texts.iter().filter_map(Value::as_str);
            texts.for_each(|text| message.string(number, text));
        }
        (Form::Message(shape), value) => message.message(number, |m| write(m, value, shape)),
        (Form::Messages(shape), Value::Array(values)) => {
            for value in values {
                message.message(number, |inner| write(inner, value, shape));
            }
        }
        (Form::Text | Form::Flag | Form::Texts | Form::Messages(_), _) => {}
    }
}

/// The text of the message `Any`, of which gnostic sets nothing else.
fn yaml(value: &Value) -> String {
    // A tree of texts can always be written.
    let text = serde_saphyr::to_string(value);
    debug_assert!(text.is_ok(), "{text:?}");
    text.unwrap_or_default()
}
