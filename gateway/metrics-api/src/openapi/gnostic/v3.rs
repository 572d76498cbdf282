//! Fields of `OpenAPIv3.proto`.

use super::{
    Fit::{Always, Has},
    Form::{Flag, Message, Messages, Text, Texts},
    Shape::{self, List, Object, OneOf, Pairs},
};

pub(crate) static DOCUMENT: Shape = Object {
    members: &[
        ("openapi", 1, Text),
        ("info", 2, Message(&INFO)),
        ("paths", 4, Message(&PATHS)),
        ("components", 5, Message(&COMPONENTS)),
    ],
    extensions: 9,
};

static INFO: Shape = Object { members: &[("title", 1, Text), ("version", 6, Text)], extensions: 7 };

static PATHS: Shape = Pairs(1, &PATH_ITEM);

static PATH_ITEM: Shape = Object { members: &[("get", 4, Message(&OPERATION))], extensions: 14 };

static OPERATION: Shape = Object {
    members: &[
        ("tags", 1, Texts),
        ("description", 3, Text),
        ("operationId", 5, Text),
        ("parameters", 6, Messages(&PARAMETER_OR_REFERENCE)),
        ("responses", 8, Message(&RESPONSES)),
    ],
    extensions: 13,
};

static PARAMETER_OR_REFERENCE: Shape = OneOf(&[(Always, 1, &PARAMETER)]);

static PARAMETER: Shape = Object {
    members: &[
        ("name", 1, Text),
        ("in", 2, Text),
        ("description", 3, Text),
        ("required", 4, Flag),
        ("schema", 10, Message(&SCHEMA_OR_REFERENCE)),
    ],
    extensions: 14,
};

static RESPONSES: Shape = Pairs(2, &RESPONSE_OR_REFERENCE);

static RESPONSE_OR_REFERENCE: Shape = OneOf(&[(Always, 1, &RESPONSE)]);

static RESPONSE: Shape = Object {
    members: &[("description", 1, Text), ("content", 3, Message(&MEDIA_TYPES))],
    extensions: 5,
};

static MEDIA_TYPES: Shape = Pairs(1, &MEDIA_TYPE);

static MEDIA_TYPE: Shape =
    Object { members: &[("schema", 1, Message(&SCHEMA_OR_REFERENCE))], extensions: 5 };

static COMPONENTS: Shape = Object { members: &[("schemas", 1, Message(&SCHEMAS))], extensions: 10 };

static SCHEMAS: Shape = Pairs(1, &SCHEMA_OR_REFERENCE);

static SCHEMA_OR_REFERENCE: Shape = OneOf(&[(Has("$ref"), 2, &REFERENCE), (Always, 1, &SCHEMA)]);

/// Has no extensions: 0 is no field.
static REFERENCE: Shape = Object { members: &[("$ref", 1, Text)], extensions: 0 };

static SCHEMA: Shape = Object {
    members: &[
        ("uniqueItems", 20, Flag),
        ("required", 23, Texts),
        ("type", 25, Text),
        ("allOf", 26, Messages(&SCHEMA_OR_REFERENCE)),
        ("oneOf", 27, Messages(&SCHEMA_OR_REFERENCE)),
        ("items", 30, Message(&ITEMS_ITEM)),
        ("properties", 31, Message(&SCHEMAS)),
        ("additionalProperties", 32, Message(&ADDITIONAL_PROPERTIES)),
        ("description", 34, Text),
        ("format", 35, Text),
    ],
    extensions: 36,
};

static ITEMS_ITEM: Shape = List(1, Message(&SCHEMA_OR_REFERENCE));

static ADDITIONAL_PROPERTIES: Shape = OneOf(&[(Always, 1, &SCHEMA_OR_REFERENCE)]);
