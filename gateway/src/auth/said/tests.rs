use http::HeaderValue;

use super::*;

const ALICE: [(&str, &str); 5] = [
    ("x-remote-user", "alice"),
    ("x-remote-uid", "7"),
    ("x-remote-group", "dev"),
    ("x-remote-group", "ops"),
    ("x-remote-extra-scopes", "one"),
];

fn names() -> Names {
    let of = |name| vec![HeaderName::from_static(name)];
    Names {
        user: of("x-remote-user"),
        uid: of("x-remote-uid"),
        group: of("x-remote-group"),
        extra: vec!["x-remote-extra-".to_owned()],
    }
}

fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
    let pair = |(name, value): &(&'static str, &'static str)| {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    };
    list.iter().map(pair).collect()
}

/// Who asks by these headers after `said`, and whether that was known.
fn take(said: &Said, list: &[(&'static str, &'static str)]) -> (Arc<Reader>, bool) {
    let before = said.0.load_full();
    let mut own = headers(list);
    own.insert("audit-id", HeaderValue::from_static("a-1"));
    let reader = said.take(&names(), &mut own).unwrap().unwrap();
    assert_eq!(own, headers(&[("audit-id", "a-1")]));
    let known = before.is_some_and(|last| Arc::ptr_eq(&last.reader, &reader));
    (reader, known)
}

#[test]
fn who_is_named_again_is_known_whatever_the_order_of_names() {
    let said = Said::default();
    let (alice, known) = take(&said, &ALICE);
    assert!(!known && alice.groups == ["dev", "ops", "system:authenticated"]);
    let [user, uid, dev, ops, scopes] = ALICE;
    for order in [ALICE, [scopes, dev, ops, uid, user]] {
        let (reader, known) = take(&said, &order);
        assert!(known && Arc::ptr_eq(&reader, &alice), "{order:?}");
    }
}

#[test]
fn who_is_named_otherwise_in_any_way_is_somebody_else() {
    let [user, uid, dev, ops, scopes] = ALICE;
    for other in [
        &[("x-remote-user", "bob"), uid, dev, ops, scopes][..],
        &[user, ("x-remote-user", "bob"), uid, dev, ops, scopes],
        &[user, ("x-remote-uid", "8"), dev, ops, scopes],
        &[user, dev, ops, scopes],
        &[user, uid, ops, dev, scopes],
        &[user, uid, dev, scopes],
        &[user, uid, dev, ops, ("x-remote-group", "system:masters"), scopes],
        &[user, uid, ("x-remote-group", "devops"), scopes],
        &[user, uid, dev, ops, ("x-remote-extra-scopes", "two")],
        &[user, uid, dev, ops, ("x-remote-extra-other", "one")],
        &[user, uid, dev, ops, scopes, ("x-remote-extra-other", "one")],
        &[user, uid, dev, ops],
    ] {
        let said = Said::default();
        let (alice, _) = take(&said, &ALICE);
        let (reader, known) = take(&said, other);
        assert!(!known && !Arc::ptr_eq(&reader, &alice), "{other:?}");
        // It has taken the place of the last.
        assert!(take(&said, other).1 && !take(&said, &ALICE).1, "{other:?}");
    }
}

#[test]
fn who_is_known_names_nobody_else_by_nothing() {
    let said = Said::default();
    take(&said, &ALICE);
    for nobody in [&[][..], &ALICE[1..]] {
        assert!(said.take(&names(), &mut headers(nobody)).unwrap().is_none(), "{nobody:?}");
    }
    let mut broken = headers(&ALICE);
    broken.append("x-remote-group", HeaderValue::from_bytes(b"\xff").unwrap());
    said.take(&names(), &mut broken).unwrap_err();
}

#[test]
fn no_token_is_kept() {
    let said = Said::default();
    let with_token = [&ALICE[..], &[("authorization", "Bearer secret")]].concat();
    assert!(!take(&said, &with_token).1);
    assert!(said.0.load().is_none());
    take(&said, &ALICE);
    assert!(!take(&said, &with_token).1, "the token was not there before");
    assert!(!format!("{said:?}").contains("secret"));
}
