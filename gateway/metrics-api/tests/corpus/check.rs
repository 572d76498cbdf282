//! What has to hold for any input. Called by the fuzz targets, and over their corpus on stable.

use jiff::Timestamp;
use metrics_api::{
    Encoding, Quantity, Selector,
    accept::negotiate,
    custom::{self, ObjectReference, Version},
    encoding::Document,
    external,
    parameters::{Parameters, is_pretty},
    path::{self, Target},
    quantity::Family,
};
use serde_json::Value;

#[path = "../encodings/protobuf.rs"]
mod protobuf;

/// Any path, query and `Accept`, a line each, are read or refused; no segment escapes its bounds.
pub(crate) fn request(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default();
    let whole = |segment: &str| {
        assert!(!segment.is_empty() && !segment.contains(['/', '\0']), "{segment:?}");
        assert!(segment != "." && segment != "..", "{segment:?}");
    };
    match path::parse(next()) {
        Ok(Target::Metric(asked)) => {
            whole(&asked.metric);
            asked.namespace.as_deref().into_iter().for_each(whole);
            assert!(asked.metric != "status" && asked.metric != "finalize");
        }
        Ok(Target::External(asked)) => {
            whole(&asked.metric);
            whole(&asked.namespace);
            assert!(asked.metric != "status" && asked.metric != "finalize");
        }
        _ => {}
    }
    let query = next();
    if let Ok(read) = Parameters::parse(query) {
        assert_eq!(Parameters::parse(query), Ok(read));
    }
    let accept = next();
    let each = Encoding::OFFERED.into_iter().filter_map(|one| negotiate([accept], &[one]));
    assert_eq!(negotiate([accept], &Encoding::OFFERED).is_some(), each.count() > 0);
    is_pretty(query, accept);
}

/// Any first line is a selector or an error; what was read prints as text that reads the same and
/// matches the same labels, a line each.
pub(crate) fn selector(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (selector, labels) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(selector) = Selector::parse(selector) else { return };
    let printed = selector.to_string();
    assert_eq!(Selector::parse(&printed).as_ref(), Ok(&selector), "through {printed:?}");
    let label = |key: &str| {
        let labels = labels.lines().filter_map(|line| line.split_once('='));
        labels.into_iter().find_map(|(name, value)| (name == key).then_some(value))
    };
    let each = selector
        .requirements()
        .iter()
        .all(|requirement| requirement.condition.holds(label(&requirement.key)));
    assert_eq!(selector.matches(label), each);
}

/// Any text is a quantity or an error; what was read prints in one canonical way.
pub(crate) fn quantity(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let Ok(quantity) = text.parse::<Quantity>() else { return };
    let read = |text: &str| text.parse::<Quantity>().unwrap_or_else(|e| panic!("{text}: {e}"));
    let printed = quantity.to_string();
    assert_eq!(read(&printed).to_string(), printed);
    for family in [Family::DecimalSi, Family::BinarySi, Family::DecimalExponent] {
        let other = read(&quantity.in_family(family).to_string());
        assert_eq!(other.in_family(Family::DecimalSi), quantity.in_family(Family::DecimalSi));
    }
    // An autoscaler reads what is there, rounded up; a float has 15 digits of it.
    let exact = quantity.to_f64() * 1000.0;
    let error = quantity.milli_value() as f64 - exact;
    let digits = exact.abs() * 1e-15 * 4.0;
    assert!((-digits..=1.0 + digits).contains(&error), "{printed}: {error}");
}

/// Any texts and numbers are the same list in every encoding.
pub(crate) fn answer(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut parts = text.split('\n');
    let mut next = || parts.next().unwrap_or_default();
    let (kind, namespace, name, api_version) = (next(), next(), next(), next());
    let (metric, label, selector) = (next(), next(), next());
    let seconds = next().parse::<u32>().unwrap_or_default();
    let number = next().parse::<f64>().unwrap_or_default();
    let Ok(value) = Quantity::try_from(number) else { return };
    let Ok(timestamp) = Timestamp::from_second(seconds.into()) else { return };
    let selector = Selector::parse(selector).unwrap_or_default();
    let object = ObjectReference { kind, namespace, name, uid: metric, api_version };
    let window_seconds = (seconds % 2 == 1).then_some(seconds);
    let item = custom::MetricValue {
        object,
        metric,
        selector: &selector,
        timestamp,
        window_seconds,
        value,
    };
    for version in Version::ALL {
        says_the_same(&custom::List { version, items: &[item, item] });
    }
    let labels = [(label, name), (name, label)].into_iter().collect();
    let item = external::MetricValue { metric, labels, timestamp, window_seconds, value };
    says_the_same(&external::List { items: &[item] });
}

fn says_the_same(document: &impl Document) {
    let json = |body: &[u8]| serde_json::from_slice::<Value>(body).expect("JSON");
    let want = json(&Encoding::Json.encode(document));
    assert_eq!(json(&Encoding::PrettyJson.encode(document)), want);
    let yaml = String::from_utf8(Encoding::Yaml.encode(document)).expect("UTF-8");
    assert_eq!(serde_saphyr::from_str::<Value>(&yaml).expect("YAML"), want, "through {yaml}");
    assert_eq!(protobuf::to_json(&Encoding::Protobuf.encode(document)), want);
}
