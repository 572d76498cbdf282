//! The `Accept` header: which of the forms that we can write a client wants.
//!
//! Of the clauses that match something on offer the one with the highest quality wins, the first
//! among equals. As in Kubernetes a clause with parameters that we cannot honour, such as
//! `as=Table`, is skipped and no error.

/// Clauses of a header that are looked at; clients send up to four.
pub const MAX_CLAUSES: usize = 64;

/// A form on offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Type and subtype.
    pub media_type: &'static str,
    /// What the parameters `g`, `v` and `as` must say; `None`: none of them may be there.
    pub transform: Option<[&'static str; 3]>,
}

/// Plain JSON.
pub const JSON: Offer = Offer { media_type: "application/json", transform: None };

/// The aggregated discovery document in JSON.
pub const DISCOVERY_V2: Offer = Offer {
    media_type: "application/json",
    transform: Some(["apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"]),
};

/// Picks one of the offers for all values of an `Accept` header; the first offer where there is no
/// clause at all, `None` where no clause fits.
///
/// ```
/// use metrics_api::accept::{JSON, negotiate};
///
/// let hpa = ["application/vnd.kubernetes.protobuf, */*"];
/// assert_eq!(negotiate(hpa, &[JSON]), Some(JSON));
/// assert_eq!(negotiate(["text/html"], &[JSON]), None);
/// ```
pub fn negotiate<'a>(accept: impl IntoIterator<Item = &'a str>, offers: &[Offer]) -> Option<Offer> {
    let clauses = accept.into_iter().flat_map(|value| value.split(','));
    let mut none_at_all = true;
    let mut best: Option<(u16, Offer)> = None;
    for clause in clauses.map(str::trim).filter(|clause| !clause.is_empty()).take(MAX_CLAUSES) {
        none_at_all = false;
        let Some(clause) = Clause::parse(clause) else {
            continue;
        };
        let beaten = best.is_some_and(|(quality, _)| quality >= clause.quality);
        if clause.quality == 0 || beaten {
            continue;
        }
        if let Some(offer) = offers.iter().find(|offer| clause.accepts(offer)) {
            best = Some((clause.quality, *offer));
        }
    }
    if none_at_all {
        return offers.first().copied();
    }
    best.map(|(_, offer)| offer)
}

struct Clause<'a> {
    media_type: &'a str,
    /// In thousandths.
    quality: u16,
    /// The parameters `g`, `v` and `as`.
    transform: [Option<&'a str>; 3],
}

impl<'a> Clause<'a> {
    /// Reads a clause; `None` where it asks for what nobody here offers.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let mut clause = Self { media_type: parts.next()?, quality: 1000, transform: [None; 3] };
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            let [group, version, kind] = &mut clause.transform;
            match name.trim() {
                "q" => clause.quality = quality(value)?,
                "g" => *group = Some(value),
                "v" => *version = Some(value),
                "as" => *kind = Some(value),
                "sv" => return None,
                "stream" if value != "watch" => return None,
                _ => {}
            }
        }
        Some(clause)
    }

    fn accepts(&self, offer: &Offer) -> bool {
        let transform = match offer.transform {
            None => [None; 3],
            Some(wanted) => wanted.map(Some),
        };
        let Some((kind, _)) = offer.media_type.split_once('/') else {
            return false;
        };
        let of_kind = |asked: &str| {
            asked.strip_suffix("/*").is_some_and(|asked| asked.eq_ignore_ascii_case(kind))
        };
        self.transform == transform
            && (self.media_type == "*/*"
                || self.media_type.eq_ignore_ascii_case(offer.media_type)
                || of_kind(self.media_type))
    }
}

/// A quality in thousandths; `None` for what is none.
fn quality(text: &str) -> Option<u16> {
    let quality: f32 = text.parse().ok()?;
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "within 0..=1000 after the check"
    )]
    (0.0..=1.0).contains(&quality).then_some((quality * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const YAML: Offer = Offer { media_type: "application/yaml", transform: None };

    fn pick(accept: &str) -> Option<Offer> {
        negotiate([accept], &[JSON, YAML, DISCOVERY_V2])
    }

    #[test]
    fn what_clients_send_gets_the_form_that_kubernetes_would_send() {
        let table = [
            ("", Some(JSON)),
            ("application/json", Some(JSON)),
            ("application/json, */*", Some(JSON)),
            ("*/*", Some(JSON)),
            ("application/*", Some(JSON)),
            ("APPLICATION/JSON; charset=utf-8", Some(JSON)),
            ("application/vnd.kubernetes.protobuf, */*", Some(JSON)),
            ("application/vnd.kubernetes.protobuf", None),
            ("application/yaml", Some(YAML)),
            ("application/json;q=0.5, application/yaml", Some(YAML)),
            ("application/json;q=0.5, application/yaml;q=0.5", Some(JSON)),
            ("application/json;q=0, application/yaml;q=0.1", Some(YAML)),
            ("application/json;q=0", None),
            ("application/cbor, application/json;q=0.9", Some(JSON)),
            ("application/json;as=Table;v=v1;g=meta.k8s.io, application/json", Some(JSON)),
            ("application/json;as=Table;v=v1;g=meta.k8s.io", None),
            ("application/json;stream=watch", Some(JSON)),
            ("application/json;stream=other", None),
            ("application/json;sv=1", None),
            ("text/html", None),
            ("application/json;q=2", None),
            ("application/json;q=NaN", None),
        ];
        for (accept, want) in table {
            assert_eq!(pick(accept), want, "of {accept:?}");
        }
    }

    #[test]
    fn the_aggregated_document_is_found_whatever_the_order_of_parameters() {
        for accept in [
            "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
            "application/json;as=APIGroupDiscoveryList; v=v2; g=apidiscovery.k8s.io",
            "application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io;profile=nopeer",
            "application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io,\
             application/json;as=APIGroupDiscoveryList;v=v2;g=apidiscovery.k8s.io;charset=utf-8,\
             application/json;q=0.9",
        ] {
            assert_eq!(pick(accept), Some(DISCOVERY_V2), "of {accept}");
        }
    }

    #[test]
    fn several_headers_count_as_one() {
        assert_eq!(negotiate(["text/html", "*/*;q=0.1"], &[JSON]), Some(JSON));
        assert_eq!(negotiate([], &[JSON]), Some(JSON));
    }

    proptest! {
        #[test]
        fn no_header_panics(accept in "([a-z/*;=,.q0-9 ]|application/json|as=){0,30}|.{0,60}") {
            let _ = pick(&accept);
        }
    }
}
