//! Flags and environment of `fluxgauge`, checked once.

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, str::FromStr as _, time::Duration};

use clap::{Args, Parser, Subcommand};
use flux_client::Endpoint;
use fluxgauge_gateway::args::{MAX_DURATION, MIN_DURATION};

/// The exit status for bad configuration: `EX_USAGE` of sysexits(3).
pub const EX_USAGE: u8 = 64;

const EXAMPLES: &str = "\
Examples:
  See all of Fluxgauge work, without a cluster and without Flux:
    fluxgauge demo

  Twenty seconds of it, with certificate and token in a known place and a known port:
    fluxgauge demo --for 20s --dir /tmp/fluxgauge --api-port 8443 &
    curl --cacert /tmp/fluxgauge/ca.crt \\
      -H \"Authorization: Bearer $(cat /tmp/fluxgauge/reader-token)\" \\
      https://localhost:8443/apis/custom.metrics.k8s.io/v1beta2

  Before a deployment: what is wrong with metrics of your own and with autoscalers:
    fluxgauge check derived.yaml hpa.yaml

  In a cluster: what collectors should trust, as a file, or as the ConfigMap of a namespace:
    fluxgauge ca > ca.crt
    fluxgauge ca --config-map | kubectl -n hpc apply -f -";

const CA_HELP: &str = "\
The gateway keeps its CA in the ConfigMap fluxgauge-ca of its own namespace, which everybody with a name
in the cluster may read, and of the namespaces that its --publish-ca lists. Where it is not to write,
make the ConfigMap by this command, and again at least every four weeks: a new CA is published for a
month before it signs. Exit status: 0, 64 for bad usage, 1 when the CA cannot be read.";

const CHECK_HELP: &str = "\
Files may hold definitions of derived metrics, ConfigMaps with them, and HorizontalPodAutoscalers;
other manifests are passed over. No cluster is asked. Printed are each derived metric, its value where
--set gives those that it is made of, and the requests that each autoscaler would make, exactly, for
`kubectl get --raw`.

Examples:
  Definitions, with values to try them on:
    fluxgauge check derived.yaml --set pending_nodes_demand=4

  An autoscaler that reads a derived metric, from a pipe:
    kustomize build . | fluxgauge check derived.yaml -

Exit status: 0 when nothing is wrong, 1 when something is, 64 for bad usage.";

const DEMO_EXAMPLES: &str = "\
Examples:
  On free ports, until Ctrl-C:
    fluxgauge demo

  In a script: twenty seconds, plain lines, certificate and token in a known place:
    fluxgauge demo --for 20s --dir /tmp/fluxgauge --api-port 8443 > metrics.txt

  With a Flux of your own instead of the simulator, in the shell of `flux start --test-size=4`:
    fluxgauge demo --flux-uri \"$FLUX_URI\"

  With a real control plane, whose autoscaler resizes a MiniCluster by its queue:
    fluxgauge demo --kubernetes

  With traces, sent to a receiver of OTLP over gRPC:
    OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4317 fluxgauge demo

With --kubernetes, etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kubectl are the
real ones, and MiniCluster, HPA and APIServices those of deploy/; kubelets, the Flux Operator and
Flux are played. The demo prints lines for kubectl, such as `kubectl get hpa -w`. The control plane
takes 180 MB of disk, beside Go's build cache, and 700 MB of memory. Where Cargo built this program
it is kept in target/control-plane, else in $XDG_CACHE_HOME/fluxgauge or ~/.cache/fluxgauge.

What to try: the demo prints lines for curl, and the process ids of what it started. Kill the
simulator, and the values turn into a 404 that says how old the last sample is. Stop it or the
collector by `kill -STOP`, and they do so after --max-age; `kill -CONT` brings them back. The demo
restarts nothing, but prints the command that does.

Durations are written 90s, 2m or 1m30s. Where standard output is no terminal, each second with a
change is one plain line. NO_COLOR is honoured. Exit status: 0 at the end of --for and after Ctrl-C
or SIGTERM, 64 for bad usage, 1 when something did not start or no value was ever seen.";

/// Kubernetes metrics for Flux.
///
/// The daemons are `fluxgauge-collector` and `fluxgauge-gateway`; this command shows them.
#[derive(Clone, Debug, Parser)]
#[command(name = "fluxgauge", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Cli {
    /// The process that started this one and that it shall not outlive.
    #[arg(long, value_name = "PID", hide = true)]
    pub parent: Option<i32>,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `fluxgauge` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Start a Flux broker simulator, a collector and a gateway, and show the metrics change.
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(Demo),
    /// Print the CA of a gateway in a cluster, for collectors to trust.
    #[command(after_help = CA_HELP)]
    Ca(Ca),
    /// Check derived metrics and autoscalers before they are deployed, without a cluster.
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// The parts of the demo, each a process of its own.
    #[command(flatten)]
    Part(Part),
}

/// Print the CA of a gateway in a cluster, for collectors to trust.
#[derive(Clone, Debug, Args)]
pub struct Ca {
    /// The namespace of the gateway.
    #[arg(
        long,
        short,
        env = "FLUXGAUGE_NAMESPACE",
        value_name = "NAME",
        default_value = "fluxgauge"
    )]
    pub namespace: String,

    /// Print it as a ConfigMap, for `kubectl apply`.
    #[arg(long, env = "FLUXGAUGE_CONFIG_MAP", value_parser = clap::builder::BoolishValueParser::new())]
    pub config_map: bool,

    /// Reach the cluster by the current context of this file [default: that of $KUBECONFIG, or
    /// ~/.kube/config]
    #[arg(long, env = "FLUXGAUGE_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// Check derived metrics and autoscalers before they are deployed, without a cluster.
#[derive(Clone, Debug, Args)]
pub struct Check {
    /// YAML files; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,

    /// The value of a metric, for derived ones to be tried on; repeated or separated by commas.
    #[arg(
        long = "set",
        env = "FLUXGAUGE_SET",
        value_name = "METRIC=NUMBER",
        value_delimiter = ',',
        value_parser = assignment
    )]
    pub values: Vec<(String, f64)>,
}

fn assignment(text: &str) -> Result<(String, f64), String> {
    let (name, number) = text.split_once('=').ok_or("write METRIC=NUMBER")?;
    let number = number.trim().parse().map_err(|_| format!("{number:?} is no number"))?;
    Ok((name.trim().to_owned(), number))
}

/// A part of the demo. What follows the name of a daemon are the daemon's own arguments.
#[derive(Clone, Debug, Subcommand)]
pub enum Part {
    /// The Flux broker simulator.
    #[command(hide = true)]
    Simulator(flux_simulator::Args),
    /// `fluxgauge-gateway`.
    #[command(hide = true, disable_help_flag = true)]
    Gateway(Rest),
    /// `fluxgauge-collector`.
    #[command(hide = true, disable_help_flag = true)]
    Collector(Rest),
    /// The Flux Operator, and what runs in the pods of the demo's MiniCluster.
    #[command(hide = true)]
    Minicluster(Minicluster),
}

/// What the pods of the demo's MiniCluster need to be played.
#[derive(Clone, Debug, Args)]
pub struct Minicluster {
    /// Reaches the cluster, as one who may do what the Flux Operator may.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: PathBuf,
    /// Where collectors find the gateway, by whatever name.
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: SocketAddr,
    /// The directory for the brokers' sockets.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,
}

/// Arguments that another program reads.
#[derive(Clone, Debug, Args)]
pub struct Rest {
    /// As they were given.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub args: Vec<OsString>,
}

/// Start a Flux broker simulator, a collector and a gateway, and show the metrics change.
#[derive(Clone, Debug, Args)]
pub struct Demo {
    /// End by itself, so long after the first value; without it at Ctrl-C.
    #[arg(long = "for", env = "FLUXGAUGE_DEMO_FOR", value_name = "DURATION", value_parser = duration)]
    pub length: Option<Duration>,

    /// Keep certificates, token and logs in this directory: ca.crt, gateway.log and so on. It is made if
    /// it is not there [default: a temporary one, removed at the end]
    #[arg(long, env = "FLUXGAUGE_DEMO_DIR", value_name = "DIR")]
    pub dir: Option<PathBuf>,

    /// The port of the REST API; 0 takes a free one.
    #[arg(long, env = "FLUXGAUGE_DEMO_API_PORT", value_name = "PORT", default_value_t = 0)]
    pub api_port: u16,

    /// The port that the collector reports to; 0 takes a free one.
    #[arg(long, env = "FLUXGAUGE_DEMO_INGEST_PORT", value_name = "PORT", default_value_t = 0)]
    pub ingest_port: u16,

    /// How old a value may be. After that it is a 404.
    #[arg(long, env = "FLUXGAUGE_DEMO_MAX_AGE", value_name = "DURATION", default_value = "10s",
          value_parser = duration)]
    pub max_age: Duration,

    /// Show a real Kubernetes control plane too, whose autoscaler resizes a MiniCluster. It is built
    /// from Go modules at first, which needs Go 1.26 or later and 5 to 10 minutes.
    #[arg(long, env = "FLUXGAUGE_DEMO_KUBERNETES", conflicts_with = "flux_uri",
          value_parser = clap::builder::BoolishValueParser::new())]
    pub kubernetes: bool,

    /// The socket of a real Flux broker, local:///PATH [default: a simulator is started]
    #[arg(long, env = "FLUXGAUGE_DEMO_FLUX_URI", value_name = "URI", value_parser = endpoint)]
    pub flux_uri: Option<Endpoint>,

    /// Also write what the processes log to standard error.
    #[arg(long, short, env = "FLUXGAUGE_DEMO_VERBOSE",
          value_parser = clap::builder::BoolishValueParser::new())]
    pub verbose: bool,
}

/// The range is the gateway's, so that its own refusal is never the first that is heard.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text)
        .map_err(|error| format!("not a duration such as 90s or 1m30s: {error}"))?;
    if (MIN_DURATION..=MAX_DURATION).contains(&duration) {
        return Ok(duration);
    }
    Err(format!(
        "not from {} to {}",
        humantime::format_duration(MIN_DURATION),
        humantime::format_duration(MAX_DURATION)
    ))
}

fn endpoint(text: &str) -> Result<Endpoint, flux_client::endpoint::ParseError> {
    Endpoint::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demo(args: &[&str]) -> Result<Demo, clap::Error> {
        let cli = Cli::try_parse_from(["fluxgauge", "demo"].iter().chain(args))?;
        match cli.command {
            Command::Demo(demo) => Ok(demo),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn a_demo_needs_no_flag() {
        let demo = demo(&[]).unwrap();
        assert_eq!((demo.api_port, demo.ingest_port), (0, 0));
        assert_eq!(demo.max_age, Duration::from_secs(10));
        assert!(!demo.kubernetes);
        assert!(demo.length.is_none() && demo.dir.is_none() && demo.flux_uri.is_none());
    }

    #[test]
    fn the_ca_is_that_of_the_usual_namespace() {
        let cli = Cli::try_parse_from(["fluxgauge", "ca"]).unwrap();
        let Command::Ca(ca) = cli.command else { panic!("{cli:?}") };
        assert_eq!(ca.namespace, "fluxgauge");
        assert!(!ca.config_map && ca.kubeconfig.is_none());
    }

    #[test]
    fn what_is_wrong_is_said_with_what_would_be_right() {
        let table: &[(&[&str], &str)] = &[
            (&["--for", "20"], "not a duration such as 90s or 1m30s: time unit needed"),
            (&["--for", "0s"], "not from 100ms to 1day"),
            (&["--max-age", "2days"], "not from 100ms to 1day"),
            (&["--api-port", "65536"], "65536 is not in 0..=65535"),
            (&["--flux-uri", "/run/flux/local"], "give the broker's socket as local:///path"),
            (
                &["--kubernetes", "--flux-uri", "local:///a"],
                "cannot be used with '--flux-uri <URI>'",
            ),
            (&["--form", "20s"], "unexpected argument '--form' found"),
            (&["now"], "unexpected argument 'now' found"),
        ];
        for (args, text) in table {
            let error = demo(args).unwrap_err().to_string();
            assert!(error.contains(text), "{args:?}: {error}");
        }
    }

    #[test]
    fn every_flag_has_an_environment_variable() {
        let command = <Cli as clap::CommandFactory>::command();
        for name in ["demo", "ca"] {
            let command = command.find_subcommand(name).unwrap();
            for flag in command.get_arguments() {
                assert!(flag.get_env().is_some() || flag.get_id() == "help", "{}", flag.get_id());
            }
        }
    }

    #[test]
    fn arguments_of_a_part_are_passed_on_untouched() {
        let args = ["fluxgauge", "--parent", "1", "gateway", "--help", "-x", "--", "--parent"];
        let cli = Cli::try_parse_from(args).unwrap();
        let Command::Part(Part::Gateway(rest)) = cli.command else {
            panic!("{cli:?}");
        };
        assert_eq!(cli.parent, Some(1));
        assert_eq!(rest.args, ["--help", "-x", "--", "--parent"]);
    }
}
