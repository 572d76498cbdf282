use std::collections::BTreeSet;

use clap::{CommandFactory as _, Parser as _};

use super::*;

fn config(flags: &str) -> Result<Config, String> {
    let args = std::iter::once("fluxgauge-gateway").chain(flags.split_whitespace());
    let args = Args::try_parse_from(args).map_err(|error| error.to_string())?;
    Config::try_from(args).map_err(|problems| problems.to_string())
}

#[test]
fn flags_are_consistent_and_each_has_a_variable() {
    let command = Args::command();
    command.clone().debug_assert();
    for arg in
        command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
    {
        let variable = arg.get_env().unwrap_or_else(|| panic!("{arg} has no variable"));
        assert!(variable.to_str().unwrap().starts_with("FLUXGAUGE_"), "{arg}");
        assert!(arg.get_help().is_some(), "{arg} has no help");
    }
}

#[test]
fn a_certificate_is_all_that_must_be_given_in_a_cluster() {
    let config = config("--tls-cert a --tls-key b").unwrap();
    assert_eq!(config.listen.to_string(), "[::]:8443");
    assert_eq!(config.ingest_listen.to_string(), "[::]:8444");
    assert_eq!(config.tls, Tls::Files(TlsFiles { cert: "a".into(), key: "b".into() }));
    assert_eq!(config.max_age, Duration::from_secs(60));
    assert_eq!(config.interval, Duration::from_secs(5));
    let aliases = ["custom-metrics-apiserver", "custom-metrics-service", "flux-service"];
    assert_eq!(config.service_aliases, aliases);
    assert_eq!(config.readers, Policy::Kubernetes);
    let accounts = collectors::AccountPolicy { audience: "fluxgauge".to_owned() };
    let ways = collectors::WayPolicy { accounts: Some(accounts), ..Default::default() };
    assert_eq!(config.collectors, collectors::Policy::Proved(ways));
    assert_eq!(config.of_namespace, Bounds::default());
}

#[test]
fn good_flags_are_taken() {
    const TLS: &str = "--tls-cert a --tls-key b";
    let cases = [
        "--listen 127.0.0.1:0 --ingest-listen 127.0.0.1:0",
        "--listen :9000",
        "--max-age 1m30s",
        "--drain-delay 0s --drain-timeout 0s --warm-up 0s",
        "--service-alias a,b-1 --service-alias c",
        "--service-alias=",
        "--kubernetes off --kubeconfig= --insecure-readers --insecure-collectors",
        "--kubernetes off --reader-token-file a --collector-token-dir b",
        "--kubernetes off --insecure-readers --collector-ca a --collectors-by-namespace",
        "--collector-ca a --collector-token-dir b --collectors-by-namespace",
        "--collector-ca= --collector-token-dir= --collector-audience gauge",
        "--max-collectors-per-namespace 1 --max-series-per-namespace 67108864",
        "--reader-token-file=",
        "--log json --log-level info,fluxgauge_gateway::ingest=debug",
        "--max-connections 1 --max-collectors 65535",
    ];
    for flags in cases {
        config(&format!("{TLS} {flags}")).unwrap_or_else(|error| panic!("{flags}: {error}"));
    }
}

#[test]
fn bad_flags_say_which_and_why() {
    const TLS: &str = "--tls-cert a --tls-key b";
    let cases = [
        ("", "a certificate is needed"),
        ("--tls-cert= --tls-key=", "a certificate is needed"),
        ("--tls-cert a", "--tls-cert needs --tls-key too"),
        ("--tls-key a", "--tls-key needs --tls-cert too"),
        ("--plain-http --plain-http-anywhere --tls-key a", "--plain-http contradicts"),
        ("--plain-http --listen 127.0.0.1:1", "--ingest-listen is [::]:8444"),
        ("--plain-http --ingest-listen 127.0.0.1:1", "--listen is [::]:8443"),
        (&format!("{TLS} --plain-http-anywhere"), "means nothing without --plain-http"),
        (&format!("{TLS} --listen 8443"), "--listen \"8443\" is not ADDRESS:PORT"),
        (&format!("{TLS} --listen localhost:8443"), "is not ADDRESS:PORT"),
        (&format!("{TLS} --listen :70000"), "is not ADDRESS:PORT"),
        (&format!("{TLS} --listen :1 --ingest-listen :1"), "are both [::]:1"),
        (&format!("{TLS} --max-age 60"), "--max-age \"60\" is not a duration"),
        (&format!("{TLS} --max-age 0s"), "is not from 100ms to 1day"),
        (&format!("{TLS} --max-age 2days"), "is not from 100ms to 1day"),
        (&format!("{TLS} --interval 60s"), "is not shorter than --max-age 1m"),
        (&format!("{TLS} --service-alias A_b"), "--service-alias \"A_b\" is not a Service's name"),
        (&format!("{TLS} --max-connections 0"), "is not a number from 1 to 65535"),
        (&format!("{TLS} --max-collectors many"), "--max-collectors \"many\" is not a number"),
        (&format!("{TLS} --kubernetes maybe"), "\"maybe\" is none of auto, on and off"),
        (&format!("{TLS} --kubernetes off --kubeconfig a"), "contradicts --kubernetes off"),
        (
            &format!("{TLS} --kubernetes off --insecure-collectors"),
            "no Kubernetes here to ask who may read",
        ),
        (
            &format!("{TLS} --kubernetes off --insecure-readers"),
            "no Kubernetes here to ask who may report",
        ),
        (
            &format!("{TLS} --insecure-collectors --collector-token-dir a"),
            "--insecure-collectors contradicts --collector-token-dir",
        ),
        (
            &format!("{TLS} --insecure-collectors --collector-ca a"),
            "--insecure-collectors contradicts --collector-ca",
        ),
        (
            &format!("{TLS} --insecure-collectors --collectors-by-namespace"),
            "--insecure-collectors contradicts --collectors-by-namespace",
        ),
        (
            &format!(
                "{TLS} --kubernetes off --insecure-readers --collector-token-dir a --collectors-by-namespace"
            ),
            "--collectors-by-namespace is about service accounts",
        ),
        (&format!("{TLS} --collector-audience="), "--collector-audience is empty"),
        (
            "--plain-http --listen 127.0.0.1:0 --ingest-listen 127.0.0.1:0 --collector-ca a",
            "--collector-ca needs TLS",
        ),
        (
            &format!("{TLS} --max-series-per-namespace 0"),
            "--max-series-per-namespace \"0\" is not a number from 1 to 67108864",
        ),
        (&format!("{TLS} --reader-token-file a"), "--reader-token-file needs --kubernetes off"),
        (
            &format!(
                "{TLS} --kubernetes off --reader-token-file a --insecure-readers --insecure-collectors"
            ),
            "--insecure-readers contradicts --reader-token-file",
        ),
        (&format!("{TLS} --log xml"), "is neither plain nor json"),
        (&format!("{TLS} --log-level a=b=c"), "is not a filter"),
    ];
    for (flags, want) in cases {
        let error = config(flags).expect_err(flags);
        assert!(error.contains(want), "{flags}: {error}");
        assert_eq!(error.lines().count(), 3, "{flags} has one problem: {error}");
    }
}

#[test]
fn all_problems_are_reported_together() {
    let error =
        config("--plain-http --max-age x --interval y --log z --max-connections -").unwrap_err();
    for want in
        ["--max-age", "--interval", "--log", "--max-connections", "--listen", "--ingest-listen"]
    {
        assert!(error.contains(&format!("{want} ")), "{want}: {error}");
    }
}

#[test]
fn plain_http_is_served_on_loopback_and_elsewhere_only_by_force() {
    for flags in [
        "--plain-http --listen 127.0.0.1:0 --ingest-listen [::1]:0",
        "--plain-http --plain-http-anywhere",
    ] {
        assert_eq!(config(flags).unwrap().tls, Tls::Off, "{flags}");
    }
}

#[test]
fn a_certificate_in_a_secret_needs_its_name_alone() {
    let secret = |flags: &str| match config(&format!("--tls-secret serving {flags}")).unwrap().tls {
        Tls::Secret(secret) => secret,
        other => panic!("{other:?}"),
    };
    let default = secret("");
    assert!(default.own && default.namespace.is_none() && default.publish.is_empty());
    assert_eq!(
        [&*default.api_service, &*default.ingest_service],
        ["fluxgauge-api", "fluxgauge-ingest"]
    );
    let day = Duration::from_secs(24 * 60 * 60);
    assert_eq!((default.terms.certificate, default.terms.ca), (day * 90, day * 1095));
    let flags = "--namespace= --tls-cert= --tls-key= --tls-name= --publish-ca= --own-ca false";
    assert_eq!(secret(flags), authority::Config { own: false, ..default });
    let flags = "--publish-ca b,a --publish-ca a --tls-name A.example,::1 --namespace metrics";
    let given = secret(flags);
    let texts = |set: &BTreeSet<String>| set.iter().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(texts(&given.publish), "a b");
    assert_eq!(texts(&given.names), "::1 a.example");
    assert_eq!(given.namespace.as_deref(), Some("metrics"));
    // An empty name asks for none.
    assert!(matches!(config("--tls-secret= --tls-cert a --tls-key b").unwrap().tls, Tls::Files(_)));
}

#[test]
fn bad_flags_of_a_certificate_in_a_secret_say_which_and_why() {
    let many: Vec<_> = (0..101).map(|number| format!("n{number}")).collect();
    let cases = [
        ("--tls-cert a", "--tls-secret contradicts --tls-cert"),
        (
            "--plain-http --plain-http-anywhere",
            "--tls-secret contradicts --tls-cert, --tls-key and",
        ),
        (
            "--kubernetes off --insecure-readers --insecure-collectors",
            "--tls-secret contradicts --kubernetes off",
        ),
        ("--namespace A", "--namespace \"A\" is not a name in Kubernetes"),
        ("--api-service=", "--api-service \"\" is not a name"),
        ("--publish-ca a,b_c", "--publish-ca \"b_c\" is not a name"),
        (&format!("--publish-ca {}", many.join(",")), "--publish-ca names 101 namespaces"),
        ("--tls-name a..b", "--tls-name \"a..b\" is neither a DNS name nor an IP address"),
        ("--cert-lifetime 14s", "--cert-lifetime \"14s\" is not from 15s to"),
        ("--ca-lifetime 269d", "is less than three times --cert-lifetime 2months"),
    ];
    for (flags, want) in cases {
        let error = config(&format!("--tls-secret serving {flags}")).expect_err(flags);
        assert!(error.contains(want), "{flags}: {error}");
        assert_eq!(error.lines().count(), 3, "{flags} has one problem: {error}");
    }
}

#[test]
fn external_metrics_are_served_unless_they_are_turned_off() {
    let groups = |flags: &str| config(&format!("--tls-cert a --tls-key b {flags}")).unwrap().groups;
    assert_eq!(groups(""), Group::ALL);
    assert_eq!(groups("--external-metrics true"), Group::ALL);
    assert_eq!(groups("--external-metrics=false"), [Group::Custom]);
    assert!(config("--external-metrics perhaps").unwrap_err().contains("external-metrics"));
}

#[test]
fn a_kubeconfig_turns_kubernetes_on() {
    let reach =
        |flags: &str| config(&format!("--tls-cert a --tls-key b {flags}")).unwrap().kubernetes;
    assert_eq!(reach(""), Reach::Auto);
    assert_eq!(reach("--kubernetes on"), Reach::InCluster);
    let off = "--kubernetes off --insecure-readers --insecure-collectors";
    assert_eq!(reach(off), Reach::Off);
    for flags in ["--kubeconfig a", "--kubeconfig a --kubernetes on"] {
        assert_eq!(reach(flags), Reach::Kubeconfig("a".into()));
    }
}

#[test]
fn who_may_read_is_kubernetes_to_say_unless_it_is_said_here() {
    let readers =
        |flags: &str| config(&format!("--tls-cert a --tls-key b {flags}")).unwrap().readers;
    for flags in ["", "--kubernetes on", "--kubeconfig a"] {
        assert_eq!(readers(flags), Policy::Kubernetes, "{flags}");
        assert_eq!(readers(&format!("{flags} --insecure-readers")), Policy::Anybody, "{flags}");
    }
    let off = "--kubernetes off --insecure-collectors";
    let by_token = format!("{off} --reader-token-file a");
    assert_eq!(readers(&by_token), Policy::TokenFile("a".into()));
    assert_eq!(readers(&format!("{off} --insecure-readers")), Policy::Anybody);
}
