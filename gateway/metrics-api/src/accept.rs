//! The `Accept` header: which of the forms that we can write a client wants.
//!
//! Of the clauses that match something on offer the one with the highest quality wins, among equals
//! one without asterisks, then the first. As in Kubernetes a clause with parameters that we cannot honour, such as
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
    /// What the parameter `version` must say where it is there; `None`: anything.
    pub version: Option<&'static str>,
}

/// Picks one of the offers for all values of an `Accept` header; the first offer where there is no
/// clause at all, `None` where no clause fits.
///
/// ```
/// use metrics_api::{Encoding, accept::negotiate};
///
/// let hpa = ["application/vnd.kubernetes.protobuf, */*"];
/// assert_eq!(negotiate(hpa, &Encoding::OFFERED), Some(Encoding::Protobuf));
/// assert_eq!(negotiate(["*/*"], &Encoding::OFFERED), Some(Encoding::Json));
/// assert_eq!(negotiate(["text/html"], &Encoding::OFFERED), None);
/// ```
pub fn negotiate<'a, T: Copy + Into<Offer>>(
    accept: impl IntoIterator<Item = &'a str>,
    offers: &[T],
) -> Option<T> {
    let clauses = accept.into_iter().flat_map(|value| value.split(','));
    let mut none_at_all = true;
    let mut best: Option<(Rank, T)> = None;
    for clause in clauses.map(str::trim).filter(|clause| !clause.is_empty()).take(MAX_CLAUSES) {
        none_at_all = false;
        let Some(clause) = Clause::parse(clause) else {
            continue;
        };
        let rank = clause.rank();
        let beaten = best.is_some_and(|(other, _)| other >= rank);
        if clause.quality == 0 || beaten {
            continue;
        }
        if let Some(offer) = offers.iter().find(|offer| clause.accepts(&(**offer).into())) {
            best = Some((rank, *offer));
        }
    }
    if none_at_all {
        return offers.first().copied();
    }
    best.map(|(_, offer)| offer)
}

/// Quality, then how exactly a clause names a type: of two equal ranks the first wins.
type Rank = (u16, u8);

struct Clause<'a> {
    media_type: &'a str,
    /// In thousandths.
    quality: u16,
    /// The parameters `g`, `v` and `as`.
    transform: [Option<&'a str>; 3],
    version: Option<&'a str>,
}

impl<'a> Clause<'a> {
    /// Reads a clause; `None` where it asks for what nobody here offers.
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media_type = match parts.next()? {
            "*" => "*/*",
            media_type => media_type,
        };
        let mut clause = Self { media_type, quality: 1000, transform: [None; 3], version: None };
        for parameter in parts {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let value = value.trim().trim_matches('"');
            let [group, version, kind] = &mut clause.transform;
            match name.trim() {
                "q" => clause.quality = quality(value)?,
                "g" => *group = Some(value),
                "v" => *version = Some(value),
                "as" => *kind = Some(value),
                "version" => clause.version = Some(value),
                "sv" => return None,
                "stream" if value != "watch" => return None,
                _ => {}
            }
        }
        Some(clause)
    }

    fn rank(&self) -> Rank {
        let exact = match self.media_type {
            "*/*" => 0,
            range if range.ends_with("/*") => 1,
            _ => 2,
        };
        (self.quality, exact)
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
        let of_version =
            self.version.is_none_or(|asked| offer.version.is_none_or(|version| version == asked));
        self.transform == transform
            && of_version
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

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Form {
        Json,
        Yaml,
        Protobuf,
        Discovery,
    }
    use Form::{Discovery, Json, Protobuf, Yaml};

    impl From<Form> for Offer {
        fn from(form: Form) -> Self {
            let (media_type, transform) = match form {
                Json => ("application/json", None),
                Yaml => ("application/yaml", None),
                Protobuf => ("application/vnd.kubernetes.protobuf", None),
                Discovery => (
                    "application/json",
                    Some(["apidiscovery.k8s.io", "v2", "APIGroupDiscoveryList"]),
                ),
            };
            Self { media_type, transform, version: None }
        }
    }

    fn pick(accept: &str) -> Option<Form> {
        negotiate([accept], &[Json, Yaml, Protobuf, Discovery])
    }

    #[test]
    fn what_clients_send_gets_the_form_that_kubernetes_would_send() {
        let table = [
            ("", Some(Json)),
            ("application/json", Some(Json)),
            ("application/json, */*", Some(Json)),
            ("*/*", Some(Json)),
            ("application/*", Some(Json)),
            ("text/html, *; q=.2", Some(Json)),
            ("APPLICATION/JSON; charset=utf-8", Some(Json)),
            ("application/vnd.kubernetes.protobuf, */*", Some(Protobuf)),
            ("application/vnd.kubernetes.protobuf", Some(Protobuf)),
            ("*/*, application/vnd.kubernetes.protobuf", Some(Protobuf)),
            ("application/*, application/yaml", Some(Yaml)),
            ("*/*, application/yaml;q=0.9", Some(Json)),
            ("application/yaml", Some(Yaml)),
            ("application/json;q=0.5, application/yaml", Some(Yaml)),
            ("application/json;q=0.5, application/yaml;q=0.5", Some(Json)),
            ("application/json;q=0, application/yaml;q=0.1", Some(Yaml)),
            ("application/json;q=0", None),
            ("application/cbor, application/json;q=0.9", Some(Json)),
            ("application/cbor,application/vnd.kubernetes.protobuf,*/*", Some(Protobuf)),
            ("application/cbor", None),
            ("application/json;as=Table;v=v1;g=meta.k8s.io, application/json", Some(Json)),
            ("application/json;as=Table;v=v1;g=meta.k8s.io", None),
            ("application/json;stream=watch", Some(Json)),
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
            assert_eq!(pick(accept), Some(Discovery), "of {accept}");
        }
    }

    #[test]
    fn several_headers_count_as_one() {
        assert_eq!(negotiate(["text/html", "*/*;q=0.1"], &[Json]), Some(Json));
        assert_eq!(negotiate([], &[Json]), Some(Json));
    }

    proptest! {
        #[test]
        fn no_header_panics(accept in "([a-z/*;=,.q0-9 ]|application/json|as=){0,30}|.{0,60}") {
            let _ = pick(&accept);
        }
    }
}
