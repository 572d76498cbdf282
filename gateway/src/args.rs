//! Flags and environment, checked once.
//!
//! [`Args`] is what the user wrote, [`Config`] is what it means. All that is wrong is reported
//! together, so that nobody has to start the gateway once per mistake.

use std::{ffi::OsString, fmt, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{
    Parser,
    builder::{BoolishValueParser, OsStringValueParser},
};
use fluxgauge_proto::limits;
use metrics_api::group_version::Group;

use crate::{
    auth::{Policy, collectors},
    authority, derived,
    kubernetes::Reach,
    store::{Bounds, MAX_REPORTERS},
    telemetry::Logs,
};

mod check;
mod secret;

use check::Check;
pub use secret::SecretArgs;

/// The exit status for bad configuration: `EX_USAGE` of sysexits(3).
pub const EX_USAGE: u8 = 64;

/// The longest duration that a flag takes. Collectors are told of some in 32-bit milliseconds,
/// which end at 49 days.
pub const MAX_DURATION: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest max-age and interval.
pub const MIN_DURATION: Duration = Duration::from_millis(100);

/// The most connections that a flag takes: ports of one address, and more than a process usually
/// may have open.
pub const MAX_CONNECTIONS: usize = 65_535;

/// The most series of a namespace that a flag takes: as many as all collectors can report.
pub const MAX_SERIES: usize = MAX_REPORTERS * limits::MAX_SERIES;

const EXAMPLES: &str = "\
Examples:
  In a cluster, with a CA of its own, whose certificates it keeps in a Secret and renews:
    fluxgauge-gateway --tls-secret fluxgauge-serving

  With a certificate in files, such as those of a mounted Secret:
    fluxgauge-gateway --tls-cert /certs/tls.crt --tls-key /certs/tls.key

  The same by environment:
    FLUXGAUGE_TLS_CERT=/certs/tls.crt FLUXGAUGE_TLS_KEY=/certs/tls.key fluxgauge-gateway

  On a desk, on free ports and without TLS; the first line of output names the ports:
    fluxgauge-gateway --plain-http --listen 127.0.0.1:0 --ingest-listen 127.0.0.1:0 \
      --kubernetes off --reader-token-file token --insecure-collectors

  The same for collectors that prove who they are by the file tokens/NAMESPACE:
    fluxgauge-gateway --plain-http --listen 127.0.0.1:0 --ingest-listen 127.0.0.1:0 \
      --kubernetes off --reader-token-file token --collector-token-dir tokens

  Traces, sent to a receiver of OTLP over gRPC:
    OTEL_EXPORTER_OTLP_ENDPOINT=http://otel-collector:4317 fluxgauge-gateway ...

Who may report: a collector proves where it runs, and reports for that alone. In this order: by a
certificate of --collector-ca's authority, else by a token of --collector-token-dir, else by a token
of a service account, where there is a Kubernetes to review it. Each way that is named is open;
--collectors-by-namespace widens the first and the last, and --insecure-collectors stands alone.

Durations are written 90s, 2m or 1m30s. Exit status: 0 after SIGTERM or SIGINT, 64 for bad
configuration, 1 for any other failure.";

/// Serves what Fluxgauge collectors report as Kubernetes metrics APIs.
#[derive(Clone, Debug, Parser)]
#[command(name = "fluxgauge-gateway", version, after_long_help = EXAMPLES)]
pub struct Args {
    /// Where kube-apiserver asks for metrics: ADDRESS:PORT, or :PORT for all addresses; port 0
    /// takes a free one.
    #[arg(long, env = "FLUXGAUGE_LISTEN", value_name = "ADDRESS", default_value = "[::]:8443")]
    pub listen: String,

    /// Where collectors report by gRPC, written like --listen.
    #[arg(
        long,
        env = "FLUXGAUGE_INGEST_LISTEN",
        value_name = "ADDRESS",
        default_value = "[::]:8444"
    )]
    pub ingest_listen: String,

    /// The certificate chain for both ports, in PEM form, the gateway's own certificate first. It
    /// and the key are read again every 2 s, and new ones are served with at once.
    #[arg(long, env = "FLUXGAUGE_TLS_CERT", value_name = "FILE", value_parser = OsStringValueParser::new())]
    pub tls_cert: Option<OsString>,

    /// The certificate's private key, in PEM form.
    #[arg(long, env = "FLUXGAUGE_TLS_KEY", value_name = "FILE", value_parser = OsStringValueParser::new())]
    pub tls_key: Option<OsString>,

    /// Serve both ports without TLS; on loopback addresses only.
    #[arg(long, env = "FLUXGAUGE_PLAIN_HTTP", value_parser = BoolishValueParser::new())]
    pub plain_http: bool,

    /// Let --plain-http serve on any address: everyone on the way can read and forge metrics.
    #[arg(long, env = "FLUXGAUGE_PLAIN_HTTP_ANYWHERE", value_parser = BoolishValueParser::new())]
    pub plain_http_anywhere: bool,

    /// Instead of files: a certificate in a Secret.
    #[command(flatten)]
    pub secret: SecretArgs,

    /// How long a value is served after it was last proved. Collectors are told it, and prove each
    /// source four times as often.
    #[arg(long, env = "FLUXGAUGE_MAX_AGE", value_name = "DURATION", default_value = "60s")]
    pub max_age: String,

    /// The longest time between two samples of a collector, also when nothing changes.
    #[arg(long, env = "FLUXGAUGE_INTERVAL", value_name = "DURATION", default_value = "5s")]
    pub interval: String,

    /// Names of Services that mean the only MiniCluster of their namespace, as HPAs for older
    /// programs have them; repeated or separated by commas.
    #[arg(
        long = "service-alias",
        env = "FLUXGAUGE_SERVICE_ALIAS",
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "custom-metrics-apiserver,custom-metrics-service,flux-service"
    )]
    pub service_aliases: Vec<String>,

    /// Metrics of your own: a YAML file with name, help and CEL expression of each, as in
    /// deploy/examples/derived.yaml. It is read again every 2 s, and one that is wrong leaves the last
    /// good one in use. `fluxgauge check FILE` says what is wrong before you deploy it.
    #[arg(long, env = "FLUXGAUGE_DERIVED", value_name = "FILE", value_parser = OsStringValueParser::new())]
    pub derived: Option<OsString>,

    /// Whether to serve external.metrics.k8s.io: true or false. One product owns it in a cluster.
    #[arg(
        long,
        env = "FLUXGAUGE_EXTERNAL_METRICS",
        value_name = "BOOL",
        default_value = "true",
        action = clap::ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub external_metrics: bool,

    /// Whether to ask Kubernetes which pods MiniClusters have and who may read: auto (in a pod that
    /// has a service account), on or off. Without, names and labels of pods are what collectors say,
    /// and other flags must say who may read (--reader-token-file, --insecure-readers) and who may
    /// report (--collector-token-dir, --collector-ca, --insecure-collectors).
    #[arg(long, env = "FLUXGAUGE_KUBERNETES", value_name = "WHEN", default_value = "auto")]
    pub kubernetes: String,

    /// Reach Kubernetes by the current context of this file instead of the pod's service account.
    #[arg(long, env = "FLUXGAUGE_KUBECONFIG", value_name = "FILE", value_parser = OsStringValueParser::new())]
    pub kubeconfig: Option<OsString>,

    /// Without Kubernetes: let those read who send the token in this file, as `Authorization: Bearer
    /// TOKEN`. It is read once.
    #[arg(long, env = "FLUXGAUGE_READER_TOKEN_FILE", value_name = "FILE", value_parser = OsStringValueParser::new())]
    pub reader_token_file: Option<OsString>,

    /// Let everybody read who reaches --listen, also where there is a Kubernetes to ask.
    #[arg(long, env = "FLUXGAUGE_INSECURE_READERS", value_parser = BoolishValueParser::new())]
    pub insecure_readers: bool,

    /// The audience of service-account tokens that are made for gateways alone, such as projected ones.
    /// Those of the API server's own audience are taken as well.
    #[arg(
        long,
        env = "FLUXGAUGE_COLLECTOR_AUDIENCE",
        value_name = "NAME",
        default_value = collectors::AUDIENCE
    )]
    pub collector_audience: String,

    /// Let a service-account token that was made for no pod report for all MiniClusters of its
    /// namespace.
    #[arg(long, env = "FLUXGAUGE_COLLECTORS_BY_NAMESPACE", value_parser = BoolishValueParser::new())]
    pub collectors_by_namespace: bool,

    /// Let those report who show a certificate of an authority in this PEM file, for what it names:
    /// URI spiffe://DOMAIN/ns/NAMESPACE/minicluster/NAME, /index/N after it for one rank; or common name
    /// minicluster:NAMESPACE:NAME, :N after it. With --collectors-by-namespace also URI
    /// spiffe://DOMAIN/ns/NAMESPACE/sa/NAME. It is read again every 2 s.
    #[arg(long, env = "FLUXGAUGE_COLLECTOR_CA", value_name = "FILE", value_parser = OsStringValueParser::new())]
    pub collector_ca: Option<OsString>,

    /// Let those report who send a token of this directory, for all MiniClusters of the namespace that
    /// the token's file is named after: one word of at least 16 characters. It is read again every 2 s.
    #[arg(long, env = "FLUXGAUGE_COLLECTOR_TOKEN_DIR", value_name = "DIR", value_parser = OsStringValueParser::new())]
    pub collector_token_dir: Option<OsString>,

    /// Let everybody report who reaches --ingest-listen, for whatever they say they are, also where
    /// there is a Kubernetes to ask.
    #[arg(long, env = "FLUXGAUGE_INSECURE_COLLECTORS", value_parser = BoolishValueParser::new())]
    pub insecure_collectors: bool,

    /// How long the gateway is not ready after its start, while collectors connect.
    #[arg(long, env = "FLUXGAUGE_WARM_UP", value_name = "DURATION", default_value = "10s")]
    pub warm_up: String,

    /// How long the gateway goes on serving after SIGTERM, no longer ready, while Kubernetes takes
    /// it out of its Services. A second signal ends this time.
    #[arg(long, env = "FLUXGAUGE_DRAIN_DELAY", value_name = "DURATION", default_value = "10s")]
    pub drain_delay: String,

    /// How long requests in flight may take after that. Together with --drain-delay it must stay
    /// below the pod's terminationGracePeriodSeconds.
    #[arg(long, env = "FLUXGAUGE_DRAIN_TIMEOUT", value_name = "DURATION", default_value = "15s")]
    pub drain_timeout: String,

    /// About how long a connection to --listen lasts before its client is asked to open another,
    /// so that requests spread over replicas.
    #[arg(
        long,
        env = "FLUXGAUGE_CONNECTION_MAX_AGE",
        value_name = "DURATION",
        default_value = "90s"
    )]
    pub connection_max_age: String,

    /// Connections to --listen at once.
    #[arg(long, env = "FLUXGAUGE_MAX_CONNECTIONS", value_name = "NUMBER", default_value = "1024")]
    pub max_connections: String,

    /// Connections to --ingest-listen at once; each collector has one.
    #[arg(long, env = "FLUXGAUGE_MAX_COLLECTORS", value_name = "NUMBER", default_value = "16384")]
    pub max_collectors: String,

    /// Collectors of one namespace that are kept; one more is refused.
    #[arg(
        long,
        env = "FLUXGAUGE_MAX_COLLECTORS_PER_NAMESPACE",
        value_name = "NUMBER",
        default_value = "2048"
    )]
    pub max_collectors_per_namespace: String,

    /// Series of all collectors of one namespace; a stream that brings more is ended. Their names and
    /// labels may have 256 bytes each, on average.
    #[arg(
        long,
        env = "FLUXGAUGE_MAX_SERIES_PER_NAMESPACE",
        value_name = "NUMBER",
        default_value = "65536"
    )]
    pub max_series_per_namespace: String,

    /// The form of log lines on standard error: plain or json.
    #[arg(long, env = "FLUXGAUGE_LOG_FORMAT", value_name = "FORMAT", default_value = "plain")]
    pub log: String,

    /// What is logged: error, warn, info, debug or trace, or by module as in
    /// info,fluxgauge_gateway::ingest=debug.
    #[arg(long, env = "FLUXGAUGE_LOG", value_name = "FILTER", default_value = "info")]
    pub log_level: String,
}

/// A configuration in which everything fits together.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the REST API listens.
    pub listen: SocketAddr,
    /// Where collectors report.
    pub ingest_listen: SocketAddr,
    /// What to serve with.
    pub tls: Tls,
    /// How long a value is served after it was last proved.
    pub max_age: Duration,
    /// The wish for the time between samples.
    pub interval: Duration,
    /// Services that mean the only MiniCluster of their namespace.
    pub service_aliases: Vec<String>,
    /// Metrics that the operator defines.
    pub derived: derived::Metrics,
    /// The groups of the API that are served.
    pub groups: &'static [Group],
    /// How Kubernetes is asked for pods, and who may read.
    pub kubernetes: Reach,
    /// Who may read.
    pub readers: Policy,
    /// Who may report.
    pub collectors: collectors::Policy,
    /// How long the gateway is not ready after its start.
    pub warm_up: Duration,
    /// How long it goes on serving after the signal to end.
    pub drain_delay: Duration,
    /// How long requests in flight may take after that.
    pub drain_timeout: Duration,
    /// About how long a connection to the REST API lasts.
    pub connection_max_age: Duration,
    /// Connections to the REST API at once.
    pub max_connections: usize,
    /// Connections of collectors at once.
    pub max_collectors: usize,
    /// What is kept of each namespace.
    pub of_namespace: Bounds,
    /// What is logged, and how.
    pub logs: Logs,
}

/// What to serve with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Plain HTTP.
    Off,
    /// A certificate in files.
    Files(TlsFiles),
    /// A certificate in a Secret.
    Secret(authority::Config),
}

/// A certificate chain and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain.
    pub cert: PathBuf,
    /// The key.
    pub key: PathBuf,
}

/// All that is wrong with a configuration.
#[derive(Debug)]
pub struct Problems(Vec<String>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration cannot be used:")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))?;
        f.write_str("\nSee --help.")
    }
}

impl std::error::Error for Problems {}

impl TryFrom<Args> for Config {
    type Error = Problems;

    fn try_from(args: Args) -> Result<Self, Problems> {
        let mut check = Check::new();
        let tls = check.tls(&args);
        let any = MIN_DURATION..=MAX_DURATION;
        let none_too = Duration::ZERO..=MAX_DURATION;
        let max_age = check.duration("--max-age", &args.max_age, &any);
        let interval = check.duration("--interval", &args.interval, &any);
        check.interval(interval, max_age);
        let config = Self {
            listen: check.address("--listen", &args.listen),
            ingest_listen: check.address("--ingest-listen", &args.ingest_listen),
            tls,
            max_age: max_age.unwrap_or_default(),
            interval: interval.unwrap_or_default(),
            derived: check.derived(&args),
            groups: if args.external_metrics { &Group::ALL } else { &[Group::Custom] },
            kubernetes: check.kubernetes(&args),
            readers: check.readers(&args),
            collectors: check.collectors(&args),
            service_aliases: check.aliases(args.service_aliases),
            warm_up: check.duration("--warm-up", &args.warm_up, &none_too).unwrap_or_default(),
            drain_delay: check
                .duration("--drain-delay", &args.drain_delay, &none_too)
                .unwrap_or_default(),
            drain_timeout: check
                .duration("--drain-timeout", &args.drain_timeout, &none_too)
                .unwrap_or_default(),
            connection_max_age: check
                .duration("--connection-max-age", &args.connection_max_age, &any)
                .unwrap_or_default(),
            max_connections: check.count(
                "--max-connections",
                &args.max_connections,
                MAX_CONNECTIONS,
            ),
            max_collectors: check.count("--max-collectors", &args.max_collectors, MAX_CONNECTIONS),
            of_namespace: Bounds {
                collectors: check.count(
                    "--max-collectors-per-namespace",
                    &args.max_collectors_per_namespace,
                    MAX_REPORTERS,
                ),
                series: check.count(
                    "--max-series-per-namespace",
                    &args.max_series_per_namespace,
                    MAX_SERIES,
                ),
            },
            logs: check.logs(&args.log, args.log_level),
        };
        check.addresses(&config, args.plain_http && !args.plain_http_anywhere);
        check.finish(config)
    }
}

#[cfg(test)]
mod tests;
