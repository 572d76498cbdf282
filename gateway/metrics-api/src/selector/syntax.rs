//! What names and values of labels must be like, in Kubernetes' words.

/// Bytes of a label's value, and of its name without prefix.
const MAX_LABEL_BYTES: usize = 63;

/// Bytes of the prefix of a label's name: a DNS subdomain.
const MAX_PREFIX_BYTES: usize = 253;

const NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and \
    end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used \
    for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const PREFIX: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

const VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, \
    '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or \
    'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/// Checks `[prefix/]name`; the error says all that is wrong.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    let mut wrong = Vec::new();
    let name = match key.split_once('/') {
        None => key,
        Some((_, name)) if name.contains('/') => {
            return Err(format!(
                "a qualified name {NAME} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            ));
        }
        Some((prefix, name)) => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                if prefix.len() > MAX_PREFIX_BYTES {
                    wrong.push(format!("prefix part {}", too_long(MAX_PREFIX_BYTES)));
                }
                if !is_subdomain(prefix) {
                    wrong.push(format!("prefix part {PREFIX}"));
                }
            }
            name
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > MAX_LABEL_BYTES {
        wrong.push(format!("name part {}", too_long(MAX_LABEL_BYTES)));
    }
    if !is_name(name) {
        wrong.push(format!("name part {NAME}"));
    }
    none(&wrong)
}

/// Checks a value; the error says all that is wrong.
pub(super) fn check_value(value: &str) -> Result<(), String> {
    let mut wrong = Vec::new();
    if value.len() > MAX_LABEL_BYTES {
        wrong.push(too_long(MAX_LABEL_BYTES));
    }
    if !value.is_empty() && !is_name(value) {
        wrong.push(VALUE.to_owned());
    }
    none(&wrong)
}

fn none(wrong: &[String]) -> Result<(), String> {
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

fn too_long(limit: usize) -> String {
    format!("must be no more than {limit} bytes")
}

fn is_name(text: &str) -> bool {
    ends_are(text, |byte| byte.is_ascii_alphanumeric())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

fn is_subdomain(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.split('.').all(|label| {
        ends_are(label, plain) && label.bytes().all(|byte| plain(byte) || byte == b'-')
    })
}

fn ends_are(text: &str, wanted: impl Fn(u8) -> bool) -> bool {
    let ends = (text.as_bytes().first(), text.as_bytes().last());
    matches!(ends, (Some(first), Some(last)) if wanted(*first) && wanted(*last))
}
