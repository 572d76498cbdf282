use super::*;

/// A pod of a MiniCluster, with what its manifest sets.
fn pod() -> Args {
    let text = |text: &str| Some(text.to_owned());
    Args {
        gateway: text("https://fluxgauge-ingest.fluxgauge.svc:8443"),
        ca: Some("/etc/fluxgauge/ca.crt".into()),
        namespace: text("hpc"),
        hostname: text("flux-sample-3"),
        completion_index: text("3"),
        root: "/nonexistent".into(),
        ..Args::default()
    }
}

fn problems(args: Args) -> Vec<String> {
    args.check().unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_environment_of_a_pod_is_enough() {
    let config = pod().check().unwrap();
    assert_eq!(config.identity.minicluster, "flux-sample");
    assert_eq!(config.gateway.host, "fluxgauge-ingest.fluxgauge.svc");
    assert_eq!((config.gateway.port, config.max_frame), (8443, 8 * 1024 * 1024));
    assert_eq!((config.gone_exit, config.interval), (None, limits::DEFAULT_INTERVAL));
    assert_eq!(config.hold_down, Duration::from_secs(30));
}

#[test]
fn help_teaches_and_flags_parse() {
    let error = Args::try_parse_from(["fluxgauge-collector", "--help"]).unwrap_err();
    let help = error.to_string();
    for word in ["FLUXGAUGE_GATEWAY", "FLUX_URI", "JOB_COMPLETION_INDEX", "noWrapEntrypoint"] {
        assert!(help.contains(word), "{word} is not in the help:\n{help}");
    }
    let args = Args::try_parse_from(["x", "--insecure", "--gone-exit", "30m"]).unwrap();
    assert_eq!(args.insecure.as_deref(), Some("true"));
    assert_eq!(args.gone_exit.as_deref(), Some("30m"));
    Args::try_parse_from(["x", "--ca", "", "--token-file", "", "--insecure="]).unwrap();
}

#[test]
fn gateways_are_urls_without_a_path() {
    for (url, want) in [
        ("https://gateway.ns.svc:8443", Some(("gateway.ns.svc", 8443))),
        ("https://gateway.ns.svc", Some(("gateway.ns.svc", 443))),
        (" https://gateway/ ", Some(("gateway", 443))),
        ("https://[fd00::7]:8443", Some(("fd00::7", 8443))),
        ("https://10.0.0.7", Some(("10.0.0.7", 443))),
        ("gateway:8443", None),
        ("ftp://gateway", None),
        ("https://gateway/path", None),
        ("https://gateway?query", None),
        ("https://user@gateway", None),
        ("https://gateway:0", None),
        ("https://gateway:99999", None),
        ("https://", None),
        ("not a url", None),
    ] {
        let args = Args { gateway: Some(url.to_owned()), ..pod() };
        let got = args.check().ok().map(|config| (config.gateway.host, config.gateway.port));
        let want = want.map(|(host, port)| (host.to_owned(), port));
        assert_eq!(got, want, "{url}");
    }
}

#[test]
fn nothing_secret_travels_in_the_clear_unless_asked_for_by_name() {
    let plain = |url: &str, token: bool, insecure: bool| {
        let args = Args {
            gateway: Some(url.to_owned()),
            ca: None,
            token: token.then(|| "secret".to_owned()),
            insecure: insecure.then(|| "true".to_owned()),
            ..pod()
        };
        args.check().is_ok()
    };
    for (url, token, insecure, good) in [
        ("http://127.0.0.1:1", false, false, true),
        ("http://localhost:1", false, false, true),
        ("http://[::1]:1", false, false, true),
        ("http://127.0.0.1:1", true, false, false),
        ("http://127.0.0.1:1", true, true, true),
        ("http://gateway:1", false, false, false),
        ("http://gateway:1", false, true, true),
        ("https://gateway:1", false, true, false), // without a CA
    ] {
        assert_eq!(plain(url, token, insecure), good, "{url} {token} {insecure}");
    }
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let wrong = Args {
        gateway: None,
        token: Some("a".to_owned()),
        token_file: Some("/token".into()),
        insecure: Some("perhaps".to_owned()),
        max_frame: Some("8MiB".to_owned()),
        gone_exit: Some("soon".to_owned()),
        interval: Some("0".to_owned()),
        hold_down: Some("2h".to_owned()),
        flux_uri: Some("ssh://host".to_owned()),
        completion_index: Some("x".to_owned()),
        ..pod()
    };
    let problems = problems(wrong);
    assert_eq!(problems.len(), 10, "{problems:#?}");
    for word in
        ["FLUXGAUGE_GATEWAY", "FLUXGAUGE_TOKEN_FILE", "perhaps", "8MiB", "soon", "2h", "FLUX_URI"]
    {
        assert!(problems.iter().any(|text| text.contains(word)), "{word}: {problems:#?}");
    }
}

#[test]
fn an_empty_variable_is_not_set() {
    let empty = || Some(String::new());
    let args = Args {
        token: empty(),
        token_file: Some(PathBuf::new()),
        flux_uri: empty(),
        max_frame: empty(),
        gone_exit: empty(),
        interval: empty(),
        hold_down: empty(),
        insecure: empty(),
        pod: empty(),
        ..pod()
    };
    let config = args.check().unwrap();
    assert_eq!(config.identity.pod.as_deref(), Some("flux-sample-3"));
    assert!(config.gateway.token.is_none() && config.flux_uri.is_none());
}

#[test]
fn a_token_is_never_printed() {
    let args = Args { token: Some("hunter2".to_owned()), ..pod() };
    let printed = format!("{:?}", args.check().unwrap());
    assert!(!printed.contains("hunter2"), "{printed}");
    let bad = Args { token: Some("hunter 2".to_owned()), ..pod() };
    assert!(!problems(bad).concat().contains("hunter"));
}

#[test]
fn the_mounted_token_is_taken_where_none_is_given_and_never_sent_in_the_clear() {
    let root = tempfile::tempdir().unwrap();
    let mount = |path: &str| {
        let file = root.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "token").unwrap();
        file
    };
    let token = |change: fn(&mut Args)| {
        let mut args = Args { root: root.path().to_owned(), ..pod() };
        change(&mut args);
        match args.check().unwrap().gateway.token {
            Some(Token::File(path)) => Some(path),
            Some(Token::Text(text)) => Some(text.into()),
            None => None,
        }
    };
    assert_eq!(token(|_| {}), None);
    let of_account = mount("var/run/secrets/kubernetes.io/serviceaccount/token");
    assert_eq!(token(|_| {}), Some(of_account));
    let own = mount("var/run/secrets/fluxgauge/token");
    assert_eq!(token(|_| {}), Some(own));
    let given = |args: &mut Args| args.token = Some("given".to_owned());
    assert_eq!(token(given), Some("given".into()));
    let plain = |args: &mut Args| {
        (args.gateway, args.ca) = (Some("http://127.0.0.1:1".to_owned()), None);
    };
    assert_eq!(token(plain), None);
}

#[test]
fn a_certificate_needs_its_key_and_tls() {
    let files = |cert: Option<&str>, key: Option<&str>| Args {
        cert: cert.map(PathBuf::from),
        key: key.map(PathBuf::from),
        ..pod()
    };
    assert!(files(Some("/c"), Some("/k")).check().unwrap().gateway.pair.is_some());
    assert!(problems(files(Some("/c"), None)).concat().contains("--key (FLUXGAUGE_KEY)"));
    assert!(problems(files(None, Some("/k"))).concat().contains("--cert (FLUXGAUGE_CERT)"));
    let plain = Args {
        gateway: Some("http://127.0.0.1:1".to_owned()),
        ca: None,
        ..files(Some("/c"), Some("/k"))
    };
    assert!(problems(plain).concat().contains("a certificate is given, but"));
}
