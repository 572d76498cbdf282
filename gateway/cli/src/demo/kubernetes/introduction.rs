//! What is said before anything is shown: who runs, and what to try. Pure.

use std::{fmt::Write as _, path::Path, time::Duration};

use super::{
    NAMESPACE,
    kubectl::{Kubectl, shell},
    objects::{AUTOSCALER_NAME, DOWNSCALE_WINDOW},
};
use crate::demo::{
    API, MINICLUSTER, children::Role, children::quote, gateway::Addresses, metric_path, parts::Part,
};

/// All that is said.
pub(super) struct Introduction<'a> {
    /// Who runs.
    pub(super) parts: &'a [Part],
    /// The API server's URL.
    pub(super) server: &'a str,
    /// Where the control plane's logs are.
    pub(super) plane: &'a Path,
    /// Where the gateway listens.
    pub(super) gateway: Addresses,
    /// Where certificates and logs are.
    pub(super) dir: &'a Path,
    /// How to try something.
    pub(super) kubectl: &'a Kubectl,
    /// How old a value may be.
    pub(super) max_age: Duration,
}

impl Introduction<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "Fluxgauge demo: MiniCluster {MINICLUSTER} in namespace {NAMESPACE} of a real control \
             plane\n\n"
        );
        // Writing to a `String` cannot fail.
        writeln!(text, "  {:11}  {}, which all others ask", "apiserver", self.server).ok();
        for Part { role, pid, .. } in self.parts {
            let what = match role {
                Role::Gateway => format!(
                    "is behind it at https://{}, takes reports on {}",
                    self.gateway.api, self.gateway.ingest
                ),
                Role::Minicluster => {
                    "plays the Flux Operator, and brokers with collectors in pods".to_owned()
                }
                Role::Simulator | Role::Collector => continue,
            };
            writeln!(text, "  {role:11}  process {pid:<8} {what}").ok();
        }
        let (dir, plane) = (self.dir.display(), self.plane.display());
        writeln!(
            text,
            "\nThe autoscaler is that of deploy/examples/{AUTOSCALER_NAME}, but shrinks after \
             {DOWNSCALE_WINDOW} s, not 300.\n\
             Certificates and logs are in {dir} and {plane}. Try in another terminal:"
        )
        .ok();
        let kubectl = shell(&self.kubectl.script);
        for (what, words) in requests() {
            write!(text, "\n  # {what}\n  {kubectl} {words}\n").ok();
        }
        let max_age = humantime::format_duration(self.max_age);
        writeln!(
            text,
            "\nAny other kubectl does as well, as in\n  \
             kubectl --kubeconfig {} get hpa -w\n\n\
             Kill one and watch: what is not known any more, or not proved for {max_age}, has no\n\
             value, and the autoscaler changes nothing and says why. Ctrl-C ends all.",
            shell(&self.kubectl.kubeconfig)
        )
        .ok();
        text
    }
}

/// What to tell kubectl.
fn requests() -> [(&'static str, String); 6] {
    let raw = |path: &str| format!("get --raw {}", quote(path));
    let queue = metric_path(NAMESPACE, "job_queue_state_sched_count");
    let pods = format!("{API}/namespaces/{NAMESPACE}/pods/*/broker_rank");
    let external = format!(
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/{NAMESPACE}/job_queue_state_sched_count"
    );
    [
        ("the autoscaler, as it decides", "get hpa -w".to_owned()),
        ("what came of it", "get miniclusters,jobs,pods".to_owned()),
        ("what the autoscaler reads", raw(&queue)),
        ("the same as an external metric", raw(&external)),
        ("a metric of each pod", raw(&pods)),
        (
            "how Kubernetes finds the gateway",
            "get apiservices -l app.kubernetes.io/part-of=fluxgauge".to_owned(),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_can_be_copied_into_a_shell() {
        let kubectl =
            Kubectl { script: "/my dir/kubectl".into(), kubeconfig: "/my dir/kubeconfig".into() };
        let address = ([127, 0, 0, 1], 1).into();
        let introduction = Introduction {
            parts: &[],
            server: "https://127.0.0.1:2",
            plane: "/plane".as_ref(),
            gateway: Addresses { api: address, ingest: address },
            dir: "/my dir".as_ref(),
            kubectl: &kubectl,
            max_age: Duration::from_secs(10),
        };
        let text = introduction.text();
        for line in [
            "\n  '/my dir/kubectl' get hpa -w\n",
            "\n  kubectl --kubeconfig '/my dir/kubeconfig' get hpa -w\n",
            "\n  '/my dir/kubectl' get --raw '/apis/custom.metrics.k8s.io/v1beta2/namespaces/default\
             /pods/*/broker_rank'\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
