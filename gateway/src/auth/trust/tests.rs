use super::*;
use crate::tls::test_ca::TestCa;

type Data = BTreeMap<String, String>;

/// What a kube-apiserver of today writes.
fn data(clients: &TestCa, proxies: &TestCa) -> Data {
    [
        (CLIENT_CA, clients.pem()),
        (PROXY_CA, proxies.pem()),
        (PROXY_NAMES, r#"["front-proxy-client"]"#.to_owned()),
        (USER_HEADERS, r#"["X-Remote-User"]"#.to_owned()),
        (UID_HEADERS, r#"["X-Remote-Uid"]"#.to_owned()),
        (GROUP_HEADERS, r#"["X-Remote-Group"]"#.to_owned()),
        (EXTRA_PREFIXES, r#"["X-Remote-Extra-"]"#.to_owned()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn good() -> Data {
    data(&TestCa::new(), &TestCa::new())
}

/// What is trusted after the ConfigMap was this; nothing is wrong with it.
fn trusted(data: &Data) -> Trust {
    let (trust, problems) = Trust::default().next(data);
    assert_eq!(problems, [""; 0]);
    trust
}

fn same(one: Option<&Authorities>, other: Option<&Authorities>) -> bool {
    one.zip(other).is_some_and(|(one, other)| Arc::ptr_eq(one, other))
}

#[test]
fn every_key_is_read() {
    let trust = trusted(&good());
    assert!(trust.clients.is_some());
    let proxy = trust.proxy.unwrap();
    assert_eq!(proxy.names, ["front-proxy-client"]);
    assert_eq!(proxy.headers.user, ["x-remote-user"]);
    assert_eq!(proxy.headers.uid, ["x-remote-uid"]);
    assert_eq!(proxy.headers.group, ["x-remote-group"]);
    assert_eq!(proxy.headers.extra, ["x-remote-extra-"]);
}

#[test]
fn without_a_key_for_uids_no_header_says_one() {
    let mut data = good();
    data.remove(UID_HEADERS);
    assert_eq!(trusted(&data).proxy.unwrap().headers.uid, [""; 0]);
}

#[test]
fn without_authorities_nobody_is_believed() {
    let mut data = good();
    for key in [CLIENT_CA, PROXY_CA] {
        data.remove(key);
    }
    let trust = trusted(&data);
    assert!(trust.clients.is_none() && trust.proxy.is_none());
}

#[test]
fn emptied_authorities_leave_the_last_ones_and_the_rest_is_taken() {
    let first = trusted(&good());
    for empty in ["", "\n"] {
        let mut data = good();
        data.insert(CLIENT_CA.to_owned(), empty.to_owned());
        data.insert(PROXY_CA.to_owned(), empty.to_owned());
        data.insert(PROXY_NAMES.to_owned(), "[]".to_owned());
        let (next, problems) = first.next(&data);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(same(next.clients.as_ref(), first.clients.as_ref()));
        let authorities = |trust: &Trust| trust.proxy.clone().map(|proxy| proxy.authorities);
        assert!(same(authorities(&next).as_ref(), authorities(&first).as_ref()));
        assert_eq!(next.proxy.unwrap().names, [""; 0], "the new names are taken");
    }
}

#[test]
fn what_cannot_be_understood_leaves_the_last_and_is_named() {
    let first = trusted(&good());
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (key, value, problem) in [
        (PROXY_CA, garbage, "holds no certificate that can be used"),
        (PROXY_CA, "-----BEGIN CERTIFICATE-----\n!", "is not PEM"),
        (PROXY_NAMES, "front-proxy-client", "is no list of texts in JSON"),
        (USER_HEADERS, r#"["X Remote User"]"#, "is no name of a header"),
    ] {
        let mut data = good();
        data.insert(key.to_owned(), value.to_owned());
        let (next, problems) = first.next(&data);
        let [told] = &*problems else { panic!("{problems:?}") };
        assert!(told.starts_with(key) && told.contains(problem), "{told}");
        let (next, last) = (next.proxy.unwrap(), first.proxy.clone().unwrap());
        let kept = Arc::ptr_eq(&next.authorities, &last.authorities);
        assert_eq!(kept, key == PROXY_CA, "{key}: each is kept by itself");
        assert_eq!((next.names, next.headers), (last.names, last.headers), "{key}");
    }
}

#[test]
fn an_empty_prefix_makes_no_extra_of_every_header() {
    let mut data = good();
    data.insert(EXTRA_PREFIXES.to_owned(), r#"["", " "]"#.to_owned());
    assert_eq!(trusted(&data).proxy.unwrap().headers.extra, [""; 0]);
}
