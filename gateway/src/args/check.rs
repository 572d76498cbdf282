//! What each flag must be like.

use std::{
    ffi::OsString, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr,
    time::Duration,
};

use tracing_subscriber::EnvFilter;

use super::{Args, Config, Problems, Tls, TlsFiles, secret};
use crate::{
    auth::{Policy, PolicyError, collectors},
    derived,
    kubernetes::Reach,
    telemetry::{LogFormat, Logs},
};

/// The longest name of a Service, a DNS label.
const MAX_LABEL_BYTES: usize = 63;

/// The problems found so far. A value that is wrong causes no others.
pub(super) struct Check(Vec<String>);

impl Check {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The configuration, if nothing is wrong with it.
    pub(super) fn finish(self, config: Config) -> Result<Config, Problems> {
        if self.0.is_empty() { Ok(config) } else { Err(Problems(self.0)) }
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.0.push(problem);
    }

    pub(super) fn address(&mut self, flag: &str, text: &str) -> SocketAddr {
        let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
        full.parse().unwrap_or_else(|_| {
            self.problem(format!(
                "{flag} {text:?} is not ADDRESS:PORT, such as 127.0.0.1:8443, [::]:8443 or :8443"
            ));
            SocketAddr::from(([127, 0, 0, 1], 0))
        })
    }

    pub(super) fn duration(
        &mut self,
        flag: &str,
        text: &str,
        range: &RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let problem = match humantime::parse_duration(text) {
            Ok(duration) if range.contains(&duration) => return Some(duration),
            Ok(_) => format!(
                "{flag} {text:?} is not from {} to {}",
                humantime::format_duration(*range.start()),
                humantime::format_duration(*range.end())
            ),
            Err(error) => {
                format!("{flag} {text:?} is not a duration such as 90s or 1m30s: {error}")
            }
        };
        self.problem(problem);
        None
    }

    pub(super) fn interval(&mut self, interval: Option<Duration>, max_age: Option<Duration>) {
        if let (Some(interval), Some(max_age)) = (interval, max_age)
            && interval >= max_age
        {
            self.problem(format!(
                "--interval {} is not shorter than --max-age {}: values would come and go",
                humantime::format_duration(interval),
                humantime::format_duration(max_age)
            ));
        }
    }

    pub(super) fn count(&mut self, flag: &str, text: &str, most: usize) -> usize {
        match usize::from_str(text) {
            Ok(count) if (1..=most).contains(&count) => count,
            _ => {
                self.problem(format!("{flag} {text:?} is not a number from 1 to {most}"));
                1
            }
        }
    }

    pub(super) fn aliases(&mut self, aliases: Vec<String>) -> Vec<String> {
        let aliases: Vec<_> = aliases.into_iter().filter(|alias| !alias.is_empty()).collect();
        for alias in aliases.iter().filter(|alias| !is_dns_label(alias)) {
            self.problem(format!(
                "--service-alias {alias:?} is not a Service's name: at most {MAX_LABEL_BYTES} \
                 lower-case letters, digits and -, a letter or digit at both ends"
            ));
        }
        aliases
    }

    pub(super) fn derived(&mut self, args: &Args) -> derived::Metrics {
        let Some(path) = file(args.derived.as_ref()) else { return derived::Metrics::default() };
        let name = path.display().to_string();
        derived::Metrics::of(path).unwrap_or_else(|problem| {
            self.problem(format!("--derived {name}: {}", problem.replace('\n', "\n    ")));
            derived::Metrics::default()
        })
    }

    pub(super) fn kubernetes(&mut self, args: &Args) -> Reach {
        match (&*args.kubernetes, file(args.kubeconfig.as_ref())) {
            ("auto" | "on", Some(file)) => Reach::Kubeconfig(file),
            ("auto", None) => Reach::Auto,
            ("on", None) => Reach::InCluster,
            ("off", None) => Reach::Off,
            ("off", Some(_)) => {
                self.problem("--kubeconfig contradicts --kubernetes off".to_owned());
                Reach::Off
            }
            (when, _) => {
                self.problem(format!("--kubernetes {when:?} is none of auto, on and off"));
                Reach::Off
            }
        }
    }

    pub(super) fn readers(&mut self, args: &Args) -> Policy {
        let token = file(args.reader_token_file.as_ref());
        match (token, args.insecure_readers, &*args.kubernetes) {
            (Some(_), true, _) => {
                self.problem("--insecure-readers contradicts --reader-token-file".to_owned());
            }
            (Some(file), false, "off") => return Policy::TokenFile(file),
            (Some(_), false, "auto" | "on") => self.problem(
                "--reader-token-file needs --kubernetes off: where there is a Kubernetes, it says \
                 who may read"
                    .to_owned(),
            ),
            (None, true, _) => return Policy::Anybody,
            // With a kubeconfig the other problem is the one to solve.
            (None, false, "off") if file(args.kubeconfig.as_ref()).is_none() => {
                self.problem(PolicyError::NobodyToAsk.to_string());
            }
            _ => {}
        }
        Policy::Kubernetes
    }

    pub(super) fn collectors(&mut self, args: &Args) -> collectors::Policy {
        let authority = file(args.collector_ca.as_ref());
        let token_dir = file(args.collector_token_dir.as_ref());
        let asks_kubernetes = args.kubernetes != "off";
        if args.insecure_collectors {
            for (flag, given) in [
                ("--collector-ca", authority.is_some()),
                ("--collector-token-dir", token_dir.is_some()),
                ("--collectors-by-namespace", args.collectors_by_namespace),
            ] {
                if given {
                    self.problem(format!("--insecure-collectors contradicts {flag}"));
                }
            }
            return collectors::Policy::Anybody;
        }
        if authority.is_some() && args.plain_http {
            self.problem("--collector-ca needs TLS and contradicts --plain-http".to_owned());
        }
        if args.collectors_by_namespace && !asks_kubernetes && authority.is_none() {
            self.problem(
                "--collectors-by-namespace is about service accounts, and means nothing with \
                 --kubernetes off and without --collector-ca"
                    .to_owned(),
            );
        }
        let audience = args.collector_audience.clone();
        if audience.is_empty() {
            self.problem("--collector-audience is empty: leave it out, or name one".to_owned());
        }
        // With a kubeconfig the other problem is the one to solve.
        let nobody = authority.is_none() && token_dir.is_none() && !asks_kubernetes;
        if nobody && file(args.kubeconfig.as_ref()).is_none() {
            self.problem(PolicyError::NobodyReports.to_string());
        }
        collectors::Policy::Proved(collectors::WayPolicy {
            accounts: asks_kubernetes.then_some(collectors::AccountPolicy { audience }),
            authority,
            token_dir,
            by_namespace: args.collectors_by_namespace,
        })
    }

    pub(super) fn logs(&mut self, format: &str, filter: String) -> Logs {
        let format = match format {
            "plain" => LogFormat::Plain,
            "json" => LogFormat::Json,
            _ => {
                self.problem(format!("--log {format:?} is neither plain nor json"));
                LogFormat::Plain
            }
        };
        if let Err(error) = EnvFilter::try_new(&filter) {
            self.problem(format!("--log-level {filter:?} is not a filter: {error}"));
        }
        Logs { format, filter }
    }

    pub(super) fn tls(&mut self, args: &Args) -> Tls {
        if args.plain_http_anywhere && !args.plain_http {
            self.problem("--plain-http-anywhere means nothing without --plain-http".to_owned());
        }
        let (cert, key) = (file(args.tls_cert.as_ref()), file(args.tls_key.as_ref()));
        if let Some(secret) = secret::secret(self, &args.secret) {
            if cert.is_some() || key.is_some() || args.plain_http {
                self.problem(
                    "--tls-secret contradicts --tls-cert, --tls-key and --plain-http: give one or \
                     the other"
                        .to_owned(),
                );
            }
            if args.kubernetes == "off" {
                self.problem("--tls-secret contradicts --kubernetes off".to_owned());
            }
            return Tls::Secret(secret);
        }
        match (cert, key, args.plain_http) {
            (Some(cert), Some(key), false) => {
                return Tls::Files(TlsFiles { cert, key });
            }
            (None, None, true) => {}
            (None, None, false) => self.problem(
                "a certificate is needed: give --tls-secret NAME, or --tls-cert FILE and --tls-key \
                 FILE, or ask for --plain-http"
                    .to_owned(),
            ),
            (Some(_), None, false) => self.problem("--tls-cert needs --tls-key too".to_owned()),
            (None, Some(_), false) => self.problem("--tls-key needs --tls-cert too".to_owned()),
            (_, _, true) => self.problem(
                "--plain-http contradicts --tls-cert and --tls-key: give one or the other"
                    .to_owned(),
            ),
        }
        Tls::Off
    }

    pub(super) fn addresses(&mut self, config: &Config, loopback_only: bool) {
        let Config { listen, ingest_listen, .. } = config;
        if loopback_only {
            for (flag, address) in [("--listen", listen), ("--ingest-listen", ingest_listen)] {
                if !address.ip().is_loopback() {
                    self.problem(format!(
                        "--plain-http serves on loopback addresses only and {flag} is {address}: \
                         use 127.0.0.1:{port}, or force it by --plain-http-anywhere",
                        port = address.port()
                    ));
                }
            }
        }
        if listen == ingest_listen && listen.port() != 0 {
            self.problem(format!("--listen and --ingest-listen are both {listen}"));
        }
    }
}

/// A file that is named. Manifests leave variables empty where they mean none.
fn file(path: Option<&OsString>) -> Option<PathBuf> {
    path.filter(|path| !path.is_empty()).map(PathBuf::from)
}

pub(super) fn is_dns_label(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [name.bytes().next(), name.bytes().next_back()];
    name.len() <= MAX_LABEL_BYTES
        && name.bytes().all(|byte| inner(byte) || byte == b'-')
        && ends.iter().all(|end| end.is_some_and(inner))
}
