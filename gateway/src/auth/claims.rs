//! What a token says of itself, as RFC 7519 spells it.
//!
//! Anybody can write anything there: it is used to ask the right question about the token, and
//! believed once Kubernetes has vouched for the token.

use std::time::{Duration, SystemTime};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// What a token says of itself; nothing where it is no JSON Web Token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Says {
    /// For whom it was made.
    audiences: Vec<String>,
    /// When it expires.
    pub(super) expires: Option<SystemTime>,
    /// Whether it is a JSON Web Token.
    pub(super) anything: bool,
}

impl Says {
    pub(super) fn of(token: &str) -> Self {
        Self::read(token).unwrap_or_default()
    }

    fn read(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        let claims = URL_SAFE_NO_PAD.decode(payload).ok()?;
        let claims: Value = serde_json::from_slice(&claims).ok()?;
        let claims = claims.as_object()?;
        let audiences = match claims.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => {
                several.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let seconds = claims.get("exp").and_then(Value::as_u64);
        let expires = seconds
            .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        Some(Self { audiences, expires, anything: true })
    }

    /// Whether it says that it was made for this audience.
    pub(super) fn is_for(&self, audience: &str) -> bool {
        self.audiences.iter().any(|own| own == audience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn audiences_and_end_are_read_as_service_account_tokens_have_them() {
        let says = Says::of(&token(r#"{"aud":["a","fluxgauge"],"exp":1795460400,"sub":"x"}"#));
        assert!(says.is_for("fluxgauge") && says.is_for("a") && !says.is_for("b"));
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_460_400);
        assert_eq!(says.expires, Some(end));
        assert!(Says::of(&token(r#"{"aud":"one"}"#)).is_for("one"));
    }

    #[test]
    fn what_is_no_token_of_this_kind_says_nothing() {
        for text in ["", "abc", "a.b", "a.b.c", "..", &token("[]"), &token("{")] {
            assert_eq!(Says::of(text), Says::default(), "{text}");
        }
        let odd = Says::of(&token(r#"{"aud":7,"exp":"soon"}"#));
        assert!(odd.anything && odd.expires.is_none() && !odd.is_for("7"));
        assert_eq!(Says::of(&token(r#"{"exp":18446744073709551615}"#)).expires, None);
    }
}
