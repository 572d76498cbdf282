//! Fields of `OpenAPIv2.proto`.

use super::{
    Fit::{Always, Is},
    Form::{Flag, Message, Messages, Text, Texts},
    Shape::{self, List, Object, OneOf, Pairs},
};

pub(crate) static DOCUMENT: Shape = Object {
    members: &[
        ("swagger", 1, Text),
        ("info", 2, Message(&INFO)),
        ("paths", 8, Message(&PATHS)),
        ("definitions", 9, Message(&DEFINITIONS)),
    ],
    extensions: 16,
};

static INFO: Shape = Object { members: &[("title", 1, Text), ("version", 2, Text)], extensions: 7 };

static PATHS: Shape = Pairs(2, &PATH_ITEM);

static PATH_ITEM: Shape = Object { members: &[("get", 2, Message(&OPERATION))], extensions: 10 };

static OPERATION: Shape = Object {
    members: &[
        ("tags", 1, Texts),
        ("description", 3, Text),
        ("operationId", 5, Text),
        ("produces", 6, Texts),
        ("parameters", 8, Messages(&PARAMETERS_ITEM)),
        ("responses", 9, Message(&RESPONSES)),
        ("schemes", 10, Texts),
    ],
    extensions: 13,
};

static PARAMETERS_ITEM: Shape = OneOf(&[(Always, 1, &PARAMETER)]);

static PARAMETER: Shape = OneOf(&[(Always, 2, &NON_BODY_PARAMETER)]);

static NON_BODY_PARAMETER: Shape =
    OneOf(&[(Is("in", "query"), 3, &QUERY_PARAMETER), (Is("in", "path"), 4, &PATH_PARAMETER)]);

static QUERY_PARAMETER: Shape = Object {
    members: &[
        ("required", 1, Flag),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 6, Text),
        ("uniqueItems", 20, Flag),
    ],
    extensions: 23,
};

static PATH_PARAMETER: Shape = Object {
    members: &[
        ("required", 1, Flag),
        ("in", 2, Text),
        ("description", 3, Text),
        ("name", 4, Text),
        ("type", 5, Text),
        ("uniqueItems", 19, Flag),
    ],
    extensions: 22,
};

static RESPONSES: Shape = Pairs(1, &RESPONSE_VALUE);

static RESPONSE_VALUE: Shape = OneOf(&[(Always, 1, &RESPONSE)]);

static RESPONSE: Shape = Object {
    members: &[("description", 1, Text), ("schema", 2, Message(&SCHEMA_ITEM))],
    extensions: 5,
};

static SCHEMA_ITEM: Shape = OneOf(&[(Always, 1, &SCHEMA)]);

static DEFINITIONS: Shape = Pairs(1, &SCHEMA);

static SCHEMA: Shape = Object {
    members: &[
        ("$ref", 1, Text),
        ("format", 2, Text),
        ("description", 4, Text),
        ("required", 19, Texts),
        ("additionalProperties", 21, Message(&ADDITIONAL_PROPERTIES)),
        ("type", 22, Message(&TYPE_ITEM)),
        ("items", 23, Message(&ITEMS_ITEM)),
        ("properties", 25, Message(&DEFINITIONS)),
    ],
    extensions: 31,
};

static ADDITIONAL_PROPERTIES: Shape = OneOf(&[(Always, 1, &SCHEMA)]);

static TYPE_ITEM: Shape = List(1, Text);

static ITEMS_ITEM: Shape = List(1, Message(&SCHEMA));
