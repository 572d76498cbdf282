//! What an API server is asked about users, and what it says.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The API server's own audience.
pub(super) const AUDIENCE: &str = "https://kubernetes.default.svc";

/// What is known of users.
#[derive(Debug, Default)]
pub(super) struct Reviews {
    /// The user of each token, and for whom it was made.
    pub(super) tokens: BTreeMap<String, (Value, Vec<String>)>,
    /// What users may, as [`line`] says it.
    pub(super) rights: BTreeSet<String>,
    /// Every token that was asked about.
    pub(super) of_tokens: Vec<String>,
    /// Every question whether somebody may, as [`line`] says it.
    pub(super) of_access: Vec<String>,
    /// The last of them, as it was asked.
    pub(super) last: Value,
}

impl Reviews {
    pub(super) fn token(&mut self, mut review: Value) -> Value {
        let token = review["spec"]["token"].as_str().unwrap().to_owned();
        let asked = review["spec"]["audiences"].as_array().cloned();
        let asked = asked.unwrap_or_else(|| vec![json!(AUDIENCE)]);
        let found = self.tokens.get(&token).and_then(|(user, made_for)| {
            let both: Vec<_> = made_for.iter().filter(|own| asked.contains(&json!(own))).collect();
            (!both.is_empty()).then_some((user, both))
        });
        review["status"] = match found {
            Some((user, both)) => json!({"authenticated": true, "user": user, "audiences": both}),
            None => json!({"authenticated": false, "error": "invalid bearer token"}),
        };
        self.of_tokens.push(token);
        review
    }

    pub(super) fn access(&mut self, mut review: Value) -> Value {
        let line = line(&review["spec"]);
        review["status"] = match self.rights.contains(&line) {
            true => json!({"allowed": true, "reason": "the test says so"}),
            false => json!({"allowed": false}),
        };
        self.of_access.push(line);
        self.last = review.clone();
        review
    }
}

/// A question in one line, with what is not said as `-`: `USER VERB PATH`, or
/// `USER VERB GROUP/VERSION RESOURCE SUBRESOURCE NAME NAMESPACE`.
fn line(spec: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let user = word(&spec["user"]);
    let path = &spec["nonResourceAttributes"];
    if path.is_object() {
        return format!("{user} {} {}", word(&path["verb"]), word(&path["path"]));
    }
    let of = |name: &str| word(&spec["resourceAttributes"][name]);
    let (verb, group, version) = (of("verb"), of("group"), of("version"));
    let rest = ["resource", "subresource", "name", "namespace"].map(of).join(" ");
    format!("{user} {verb} {group}/{version} {rest}")
}
