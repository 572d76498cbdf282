//! Flags of the certificate in a Secret, and of the CA that signs it.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use clap::{Args, builder::BoolishValueParser};

use super::check::{Check, is_dns_label};
use crate::authority::{Config, MAX_PUBLISHED, Terms};

/// The shortest and the longest life of a serving certificate: a third of it is the time in which
/// all must hear of another CA, and clocks differ by seconds.
const CERTIFICATE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(825 * DAY));

/// The longest life of a CA.
const MAX_CA: Duration = Duration::from_secs(20 * 366 * DAY);

const DAY: u64 = 24 * 60 * 60;

/// The longest DNS name, and the longest that Kubernetes takes for most objects.
const MAX_NAME_BYTES: usize = 253;

/// Flags of the certificate in a Secret.
#[derive(Clone, Debug, Args)]
pub struct SecretArgs {
    /// Serve with the certificate in this Secret, instead of files. Where there is none, the gateway
    /// makes one (ca.crt, ca.key, tls.crt, tls.key), signed by a CA of its own, and renews both; all
    /// replicas share it. Delete it for another CA. One that somebody else made has no ca.key: it is
    /// served with and never written.
    #[arg(long, env = "FLUXGAUGE_TLS_SECRET", value_name = "NAME")]
    pub tls_secret: Option<String>,

    /// Whether to make and renew that Secret. With false it is somebody else's: waited for and read.
    #[arg(
        long,
        env = "FLUXGAUGE_OWN_CA",
        value_name = "BOOL",
        default_value = "true",
        action = clap::ArgAction::Set,
        value_parser = BoolishValueParser::new()
    )]
    pub own_ca: bool,

    /// The namespace of that Secret and of the gateway's Services [default: the pod's, or that of the
    /// kubeconfig's context]
    #[arg(long, env = "FLUXGAUGE_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,

    /// The Service by which kube-apiserver reads: NAME.NAMESPACE.svc is in certificates, and an
    /// APIService is told the CA only while it names this Service.
    #[arg(
        long,
        env = "FLUXGAUGE_API_SERVICE",
        value_name = "NAME",
        default_value = "fluxgauge-api"
    )]
    pub api_service: String,

    /// The Service by which collectors report: its name is in certificates, too.
    #[arg(
        long,
        env = "FLUXGAUGE_INGEST_SERVICE",
        value_name = "NAME",
        default_value = "fluxgauge-ingest"
    )]
    pub ingest_service: String,

    /// What else clients call the gateway, DNS names or IP addresses; repeated or separated by commas.
    #[arg(
        long = "tls-name",
        env = "FLUXGAUGE_TLS_NAME",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub tls_names: Vec<String>,

    /// How long a certificate lasts that the gateway signs. It is renewed when a third is left, and a
    /// new CA is published for as long before it signs.
    #[arg(long, env = "FLUXGAUGE_CERT_LIFETIME", value_name = "DURATION", default_value = "90d")]
    pub cert_lifetime: String,

    /// How long the gateway's CA lasts, at least three times as long. Another takes its place when a
    /// third is left.
    #[arg(long, env = "FLUXGAUGE_CA_LIFETIME", value_name = "DURATION", default_value = "1095d")]
    pub ca_lifetime: String,

    /// Namespaces in which the gateway keeps the CA in the ConfigMap fluxgauge-ca, for collectors;
    /// repeated or separated by commas. Each needs a Role, as in deploy/examples/publish-ca.yaml. The
    /// gateway's own namespace has one always: `fluxgauge ca` prints it.
    #[arg(
        long = "publish-ca",
        env = "FLUXGAUGE_PUBLISH_CA",
        value_name = "NAMESPACE",
        value_delimiter = ','
    )]
    pub publish_ca: Vec<String>,
}

/// What the flags mean, where they name a Secret.
pub(super) fn secret(check: &mut Check, args: &SecretArgs) -> Option<Config> {
    let terms = terms(check, args);
    let secret = text(args.tls_secret.as_ref())?;
    let mut name = |flag: &str, name: &str| {
        let is_name =
            !name.is_empty() && name.len() <= MAX_NAME_BYTES && name.split('.').all(is_dns_label);
        if !is_name {
            check.problem(format!(
                "{flag} {name:?} is not a name in Kubernetes: lower-case letters, digits, - and ."
            ));
        }
        name.to_owned()
    };
    let secret = name("--tls-secret", secret);
    let namespace = text(args.namespace.as_ref()).map(|own| name("--namespace", own));
    let api_service = name("--api-service", &args.api_service);
    let ingest_service = name("--ingest-service", &args.ingest_service);
    let publish: BTreeSet<_> =
        filled(&args.publish_ca).map(|own| name("--publish-ca", own)).collect();
    if publish.len() > MAX_PUBLISHED {
        check.problem(format!(
            "--publish-ca names {} namespaces, and at most {MAX_PUBLISHED} are watched: hand the \
             ConfigMap out by other means there",
            publish.len()
        ));
    }
    let names = filled(&args.tls_names).map(|own| called(check, own)).collect();
    let own = args.own_ca;
    Some(Config { secret, namespace, own, api_service, ingest_service, names, terms, publish })
}

fn terms(check: &mut Check, args: &SecretArgs) -> Terms {
    let (least, most) = CERTIFICATE;
    let certificate = check.duration("--cert-lifetime", &args.cert_lifetime, &(least..=most));
    let ca = check.duration("--ca-lifetime", &args.ca_lifetime, &(least * 3..=MAX_CA));
    if let (Some(certificate), Some(ca)) = (certificate, ca)
        && ca < certificate * 3
    {
        check.problem(format!(
            "--ca-lifetime {} is less than three times --cert-lifetime {}: the last certificates of \
             a CA would end with it",
            humantime::format_duration(ca),
            humantime::format_duration(certificate)
        ));
    }
    Terms { ca: ca.unwrap_or(MAX_CA), certificate: certificate.unwrap_or(least) }
}

/// As it stands in a certificate.
fn called(check: &mut Check, name: &str) -> String {
    if let Ok(address) = name.parse::<IpAddr>() {
        return address.to_string();
    }
    let name = name.to_ascii_lowercase();
    let host = name.strip_prefix("*.").unwrap_or(&name);
    if host.len() > MAX_NAME_BYTES || !host.split('.').all(is_dns_label) {
        check.problem(format!("--tls-name {name:?} is neither a DNS name nor an IP address"));
    }
    name
}

fn filled(values: &[String]) -> impl Iterator<Item = &str> {
    values.iter().map(|value| value.trim()).filter(|value| !value.is_empty())
}

/// Manifests leave variables empty where they mean none.
fn text(value: Option<&String>) -> Option<&str> {
    value.map(|value| value.trim()).filter(|value| !value.is_empty())
}
