//! What the user asks for: flags, each with its environment variable.
//!
//! [`Args`] is what was written, [`Config`] is what it means. Everything is checked once, here, and
//! all that is wrong is said together.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{
    Parser,
    builder::{OsStringValueParser, TypedValueParser},
};
use fluxgauge_proto::limits;

mod gateway;

pub use self::gateway::{Gateway, Pair, Token};

use self::gateway::Proofs;
use crate::identity::{Files, Given, Identity, IdentityError};

const AFTER_HELP: &str = "\
Examples:
  In a MiniCluster, as the last container, with `noWrapEntrypoint: true` and no arguments:
    FLUXGAUGE_GATEWAY=https://fluxgauge-ingest.fluxgauge.svc:8444
    FLUXGAUGE_CA=/etc/fluxgauge/ca.crt

  On a desk, beside an instance of your own and a gateway without TLS:
    fluxgauge-collector --gateway http://127.0.0.1:8444 --namespace default \\
      --minicluster desk --flux-uri \"$FLUX_URI\"

Exit status: 0 after SIGTERM, SIGINT or the end of the MiniCluster; 64 for bad configuration. In a
pod of a Job (JOB_COMPLETION_INDEX is set) never other than 0, since a restart would count against
the user's Job: there bad configuration is logged every minute and waited out.";

/// Streams what a Flux broker knows to Fluxgauge gateways.
///
/// Runs beside each broker of a MiniCluster, reads the broker's local socket, and sends what
/// changes to every gateway that the name in --gateway resolves to. It listens on no port and asks
/// Kubernetes nothing. Each flag has an environment variable; in a MiniCluster only --gateway and
/// --ca have to be set, the rest is found out.
#[derive(Clone, Debug, Default, Parser)]
#[command(version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Args {
    /// Where gateways take reports: https://HOST:PORT. Each address of HOST gets its own stream; the
    /// certificate has to be for HOST.
    #[arg(long, env = "FLUXGAUGE_GATEWAY", value_name = "URL")]
    pub gateway: Option<String>,

    /// The token that gateways ask for; better put it in a file.
    #[arg(long, env = "FLUXGAUGE_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<String>,

    /// A file with the token. It is read again every few seconds, and a new token gets a new stream
    /// before the old one ends [default: the mounted one, /var/run/secrets/fluxgauge/token or that of
    /// the service account]
    #[arg(long, env = "FLUXGAUGE_TOKEN_FILE", value_name = "FILE", value_parser = path())]
    pub token_file: Option<PathBuf>,

    /// A file with a PEM certificate that gateways know this collector by, read again as the token is.
    /// Needs --key and https.
    #[arg(long, env = "FLUXGAUGE_CERT", value_name = "FILE", value_parser = path())]
    pub cert: Option<PathBuf>,

    /// A file with the certificate's private key, in PEM form.
    #[arg(long, env = "FLUXGAUGE_KEY", value_name = "FILE", value_parser = path())]
    pub key: Option<PathBuf>,

    /// A file with the PEM certificates of the authorities that may sign a gateway's certificate,
    /// read again for each connection. Needed for https.
    #[arg(long, env = "FLUXGAUGE_CA", value_name = "FILE", value_parser = path())]
    pub ca: Option<PathBuf>,

    /// Allow http:// to hosts that are not this machine, and a token over http://.
    #[arg(long, env = "FLUXGAUGE_INSECURE", value_name = "BOOL", num_args = 0..=1,
          require_equals = true, default_missing_value = "true")]
    pub insecure: Option<String>,

    /// The namespace of the pod [default: found out]
    #[arg(long, env = "FLUXGAUGE_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,

    /// The name of the MiniCluster [default: HOSTNAME without its index]
    #[arg(long, env = "FLUXGAUGE_MINICLUSTER", value_name = "NAME")]
    pub minicluster: Option<String>,

    /// The name of the pod [default: HOSTNAME in a Job, else MINICLUSTER-RANK]
    #[arg(long, env = "FLUXGAUGE_POD", value_name = "NAME")]
    pub pod: Option<String>,

    /// The broker's socket, local:///PATH [default: the places where a MiniCluster has it]
    #[arg(long, env = "FLUX_URI", value_name = "URI")]
    pub flux_uri: Option<String>,

    /// The longest message that is taken from the broker, in bytes; what is longer is skipped, and
    /// its metrics are absent.
    #[arg(long, env = "FLUXGAUGE_MAX_FRAME", value_name = "BYTES", default_value = "8388608")]
    pub max_frame: Option<String>,

    /// End when no broker could be reached for so long (such as 30m); 0 for never.
    #[arg(long, env = "FLUXGAUGE_GONE_EXIT", value_name = "DURATION", default_value = "0")]
    pub gone_exit: Option<String>,

    /// The time between samples while nothing changes, unless a gateway wishes another.
    #[arg(long, env = "FLUXGAUGE_INTERVAL", value_name = "DURATION", default_value = "5s")]
    pub interval: Option<String>,

    /// How long the ranks above a smaller size have to be idle before cluster_size_min_safe and
    /// cluster_size_desired fall to it; 0 for at once.
    #[arg(long, env = "FLUXGAUGE_HOLD_DOWN", value_name = "DURATION", default_value = "30s")]
    pub hold_down: Option<String>,

    /// What to log: off, error, warn, info, debug or trace; or by module, TARGET=LEVEL,...
    #[arg(long, env = "FLUXGAUGE_LOG", value_name = "LEVEL", default_value = "info")]
    pub log: Option<String>,

    /// The hostname, as Kubernetes sets it.
    #[arg(long, env = "HOSTNAME", hide = true)]
    pub hostname: Option<String>,

    /// The completion index, as Kubernetes sets it for the pods of a Job.
    #[arg(long, env = "JOB_COMPLETION_INDEX", hide = true)]
    pub completion_index: Option<String>,

    /// Where the files of the pod are, for tests.
    #[arg(long, hide = true, default_value = "/")]
    pub root: PathBuf,
}

/// A path that may be empty, as a variable is that a manifest leaves so.
fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// What [`Args`] mean.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who reports.
    pub identity: Identity,
    /// To whom.
    pub gateway: Gateway,
    /// The broker's socket, when it is named.
    pub flux_uri: Option<String>,
    /// Bytes of the longest message that is taken from the broker.
    pub max_frame: usize,
    /// How long to wait for a broker; `None` for ever.
    pub gone_exit: Option<Duration>,
    /// Between samples while nothing changes.
    pub interval: Duration,
    /// For how long ranks are idle before a size falls below them.
    pub hold_down: Duration,
    /// `/`, but in tests.
    pub root: PathBuf,
}

/// One thing that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// No gateway.
    #[error("no gateway is named: set --gateway or FLUXGAUGE_GATEWAY to https://HOST:PORT")]
    NoGateway,
    /// Not a URL that can be used.
    #[error("the gateway {url:?} is not https://HOST:PORT: {why}")]
    Gateway {
        /// What was given.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
    /// TLS without trust.
    #[error(
        "https needs the authority that signs the gateway's certificate: set --ca or FLUXGAUGE_CA \
         to a PEM file"
    )]
    NoCa,
    /// An authority without TLS.
    #[error("a CA is given, but the gateway's URL is http: write https, or leave the CA out")]
    UnusedCa,
    /// Plain HTTP through a network.
    #[error(
        "http://{0} is not this machine: use https, or allow it by --insecure (FLUXGAUGE_INSECURE)"
    )]
    PlainHttp(String),
    /// A secret over plain HTTP.
    #[error(
        "the token would travel in the clear: use https, or allow it by --insecure \
         (FLUXGAUGE_INSECURE)"
    )]
    PlainToken,
    /// Half a pair.
    #[error("{given} needs {missing}, too")]
    HalfAPair {
        /// What there is.
        given: &'static str,
        /// What there is not.
        missing: &'static str,
    },
    /// A certificate that nobody would see.
    #[error("a certificate is given, but the gateway's URL is http: write https, or leave it out")]
    UnusedCertificate,
    /// Both forms.
    #[error("the token is given twice: set only one of FLUXGAUGE_TOKEN and FLUXGAUGE_TOKEN_FILE")]
    TwoTokens,
    /// A token that no HTTP header can carry.
    #[error("the token has characters other than visible ASCII: was the wrong thing given?")]
    BadToken,
    /// A number, a duration or a yes that is none.
    #[error("{flag} is {value:?}: {want}")]
    Value {
        /// The flag and its variable.
        flag: &'static str,
        /// What was given.
        value: String,
        /// What it should have been.
        want: &'static str,
    },
    /// Not a socket.
    #[error("--flux-uri (FLUX_URI): {0}")]
    FluxUri(flux_client::endpoint::ParseError),
    /// Who reports is not known.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Bounds of `--max-frame`: below 64 KiB a job-stats answer of [`crate::metrics::MAX_QUEUES`]
/// queues (300 bytes each) with Flux's own growth may not fit; above 256 MiB no broker sends.
const FRAME_BYTES: std::ops::RangeInclusive<usize> = 64 * 1024..=256 * 1024 * 1024;

/// Bounds of `--interval`: the upper one is a day.
const INTERVAL: std::ops::RangeInclusive<Duration> =
    crate::pace::MIN_PERIOD..=Duration::from_secs(24 * 60 * 60);

/// Idle ranks stay for two periods of an autoscaler, so that jobs that follow one another keep them.
const HOLD_DOWN: Duration = Duration::from_secs(30);

/// The longest `--hold-down`: an hour of idle nodes.
const MAX_HOLD_DOWN: Duration = Duration::from_secs(60 * 60);

impl Args {
    /// Checks everything.
    pub fn check(self) -> Result<Config, Vec<Problem>> {
        // An empty variable is one that is not set, as a manifest leaves it.
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let path = |path: Option<PathBuf>| path.filter(|path| !path.as_os_str().is_empty());
        let Self {
            gateway: url,
            token,
            token_file,
            cert,
            key,
            ca,
            insecure,
            namespace,
            minicluster,
            pod,
            flux_uri,
            max_frame,
            gone_exit,
            interval,
            hold_down,
            log: _,
            hostname,
            completion_index,
            root,
        } = self;
        let mut problems = Vec::new();

        let insecure = given(insecure).is_some_and(|text| {
            text.parse().unwrap_or_else(|_| {
                problems.push(Problem::Value {
                    flag: "--insecure (FLUXGAUGE_INSECURE)",
                    value: text,
                    want: "write true or false",
                });
                false
            })
        });
        let token = match (given(token), path(token_file)) {
            (Some(_), Some(_)) => {
                problems.push(Problem::TwoTokens);
                None
            }
            (Some(text), None) => {
                let text = text.trim().to_owned();
                if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    problems.push(Problem::BadToken);
                }
                Some(Token::Text(text))
            }
            (None, file) => file.map(Token::File),
        };
        let pair = match (path(cert), path(key)) {
            (Some(cert), Some(key)) => Some(Pair { cert, key }),
            (None, None) => None,
            (Some(_), None) => {
                let (given, missing) = ("--cert (FLUXGAUGE_CERT)", "--key (FLUXGAUGE_KEY)");
                problems.push(Problem::HalfAPair { given, missing });
                None
            }
            (None, Some(_)) => {
                let (given, missing) = ("--key (FLUXGAUGE_KEY)", "--cert (FLUXGAUGE_CERT)");
                problems.push(Problem::HalfAPair { given, missing });
                None
            }
        };
        let proofs = Proofs { token, pair, mounted: gateway::mounted_token(&root) };
        let gateway = gateway::check(given(url), path(ca), proofs, insecure, &mut problems);

        let max_frame = check_value(
            given(max_frame),
            flux_client::wire::DEFAULT_MAX_BODY,
            "--max-frame (FLUXGAUGE_MAX_FRAME)",
            "write a number of bytes from 65536 to 268435456",
            |text| text.parse().ok().filter(|bytes| FRAME_BYTES.contains(bytes)),
            &mut problems,
        );
        let gone_exit = check_value(
            given(gone_exit),
            Duration::ZERO,
            "--gone-exit (FLUXGAUGE_GONE_EXIT)",
            "write a duration such as 30m, or 0 for never",
            duration,
            &mut problems,
        );
        let interval = check_value(
            given(interval),
            limits::DEFAULT_INTERVAL,
            "--interval (FLUXGAUGE_INTERVAL)",
            "write a duration such as 5s, from 50ms to 24h",
            |text| duration(text).filter(|interval| INTERVAL.contains(interval)),
            &mut problems,
        );
        let hold_down = check_value(
            given(hold_down),
            HOLD_DOWN,
            "--hold-down (FLUXGAUGE_HOLD_DOWN)",
            "write a duration such as 30s, up to 1h, or 0 for none",
            |text| duration(text).filter(|period| *period <= MAX_HOLD_DOWN),
            &mut problems,
        );
        let flux_uri = given(flux_uri);
        if let Err(error) = flux_client::endpoint::candidates(flux_uri.as_deref(), Path::new("/")) {
            problems.push(Problem::FluxUri(error));
        }
        let who = Given {
            namespace: given(namespace),
            minicluster: given(minicluster),
            pod: given(pod),
            hostname: given(hostname),
            index: given(completion_index),
        };
        let identity = Identity::new(who, &Files::read(&root))
            .map_err(|wrong| problems.extend(wrong.into_iter().map(Problem::from)));

        match (gateway, identity) {
            (Some(gateway), Ok(identity)) if problems.is_empty() => Ok(Config {
                identity,
                gateway,
                flux_uri,
                max_frame,
                gone_exit: (!gone_exit.is_zero()).then_some(gone_exit),
                interval,
                hold_down,
                root,
            }),
            _ => Err(problems),
        }
    }
}

/// `0` is a duration without a unit.
fn duration(text: &str) -> Option<Duration> {
    if text == "0" { Some(Duration::ZERO) } else { humantime::parse_duration(text).ok() }
}

fn check_value<T>(
    given: Option<String>,
    default: T,
    flag: &'static str,
    want: &'static str,
    parse: impl FnOnce(&str) -> Option<T>,
    problems: &mut Vec<Problem>,
) -> T {
    let Some(value) = given else { return default };
    parse(value.trim()).unwrap_or_else(|| {
        problems.push(Problem::Value { flag, value, want });
        default
    })
}

#[cfg(test)]
mod tests;
