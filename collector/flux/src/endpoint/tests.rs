use std::{fs, path::Path};

use super::{Endpoint, MAX_PATH, candidates, discover};

#[test]
fn a_uri_that_names_no_local_socket_says_why() {
    for (uri, message) in [
        ("", "the Flux URI is empty"),
        ("/run/flux/local", "\"/run/flux/local\" has no scheme"),
        ("ssh://host/run/flux/local", "the scheme of \"ssh://host/run/flux/local\" is not local"),
        ("local://run/flux/local", "the path in \"local://run/flux/local\" is not absolute"),
        ("local://", "the path in \"local://\" is not absolute"),
        ("local:///a\0b", "the path in \"local:///a\\0b\" holds a NUL"),
    ] {
        let error = uri.parse::<Endpoint>().unwrap_err().to_string();
        assert!(error.starts_with(message), "{uri:?}: {error}");
    }
}

#[test]
fn a_path_may_have_as_many_bytes_as_a_socket_address() {
    let longest = format!("/{}", "x".repeat(MAX_PATH - 1));
    assert!(Endpoint::local(&longest).is_ok());
    let error = format!("local://{longest}x").parse::<Endpoint>().unwrap_err().to_string();
    assert!(error.contains("has 108 bytes, but a socket's path ends at 107"), "{error}");
}

#[test]
fn a_uri_is_printed_as_it_was_read() {
    let uri = "local:///tmp/flux-abc/local-0";
    assert_eq!(uri.parse::<Endpoint>().unwrap().to_string(), uri);
}

#[test]
fn places_come_in_the_order_of_the_operators() {
    let root = tempfile::tempdir().unwrap();
    for socket in ["run/flux/local-0", "run/flux/local", "mnt/flux/view/run/flux/local-11"] {
        touch(root.path(), socket);
    }
    for other in ["mnt/flux/view/run/flux/local-9", "mnt/flux/view/run/flux/local-x"] {
        touch(root.path(), other);
    }
    let found = candidates(None, root.path()).unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|endpoint| endpoint.path().strip_prefix(root.path()).unwrap().to_str().unwrap())
        .collect();
    assert_eq!(
        found,
        [
            "mnt/flux/config/run/flux/local",
            "mnt/flux/view/run/flux/local",
            "run/flux/local",
            "mnt/flux/view/run/flux/local-9",
            "mnt/flux/view/run/flux/local-11",
            "run/flux/local-0",
        ]
    );
    let first = discover(None, root.path()).unwrap().unwrap();
    assert_eq!(first.path(), root.path().join("run/flux/local"));
}

#[test]
fn who_names_a_broker_gets_no_other() {
    let root = tempfile::tempdir().unwrap();
    touch(root.path(), "run/flux/local");
    let named = candidates(Some("local:///nowhere/local"), root.path()).unwrap();
    assert_eq!(named, ["local:///nowhere/local".parse().unwrap()]);
    assert_eq!(discover(Some("local:///nowhere/local"), root.path()), Ok(None));
    assert!(candidates(Some("nonsense"), root.path()).is_err());
}

fn touch(root: &Path, file: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "").unwrap();
}
