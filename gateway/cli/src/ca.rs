//! The CA that collectors should trust, as the gateway publishes it.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, bail};
use fluxgauge_gateway::authority::{CONFIG_MAP, CONFIG_MAP_KEY};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::args::Ca;

/// How long the API server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Prints the CA.
///
/// # Errors
///
/// When it cannot be read: says from where, and what to do.
pub fn main(args: &Ca) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let text = runtime.block_on(text(args))?;
    io::stdout().write_all(text.as_bytes()).context("cannot write to standard output")
}

/// What is printed.
///
/// # Errors
///
/// When it cannot be read.
pub async fn text(args: &Ca) -> anyhow::Result<String> {
    let what = format!("ConfigMap {}/{CONFIG_MAP}", args.namespace);
    let client = Client::try_from(config(args).await?).context("cannot use the kubeconfig")?;
    let config_maps = Api::<ConfigMap>::namespaced(client, &args.namespace);
    let found = tokio::time::timeout(TIMEOUT, config_maps.get_opt(CONFIG_MAP)).await;
    let found = found
        .with_context(|| format!("cannot read {what}: no answer within {} s", TIMEOUT.as_secs()))?
        .with_context(|| format!("cannot read {what}"))?;
    let bundle = found.and_then(|found| found.data?.remove(CONFIG_MAP_KEY));
    let Some(bundle) = bundle else {
        bail!(
            "there is no CA in {what}: is that the namespace of the gateway? It publishes one where \
             it serves with --tls-secret"
        );
    };
    Ok(if args.config_map { manifest(&bundle) } else { bundle })
}

async fn config(args: &Ca) -> anyhow::Result<Config> {
    let options = KubeConfigOptions::default();
    let config = match &args.kubeconfig {
        Some(file) => {
            let read = Kubeconfig::read_from(file)
                .with_context(|| format!("cannot use --kubeconfig {}", file.display()))?;
            Config::from_custom_kubeconfig(read, &options).await
        }
        None => Config::from_kubeconfig(&options).await,
    };
    config.context("no way to a cluster: give --kubeconfig FILE")
}

/// A ConfigMap as the gateway makes it, for any namespace.
fn manifest(bundle: &str) -> String {
    let lines: String = bundle.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {CONFIG_MAP}\n  labels: \
         {{app.kubernetes.io/part-of: fluxgauge}}\ndata:\n  {CONFIG_MAP_KEY}: |\n{lines}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_holds_the_bundle_line_by_line() {
        let bundle = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let text = manifest(&bundle.repeat(2));
        let parsed: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(parsed["data"][CONFIG_MAP_KEY], bundle.repeat(2));
        assert_eq!(parsed["metadata"]["name"], CONFIG_MAP);
    }
}
