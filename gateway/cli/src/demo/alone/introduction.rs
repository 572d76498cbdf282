//! What the demo says before it shows anything: who runs, and what to try. Pure.

use std::{fmt::Write as _, net::SocketAddr, path::Path, time::Duration};

use super::NAMESPACE;
use crate::demo::{
    API, MINICLUSTER,
    children::{Role, quote},
    metric_path,
    parts::Part,
};

/// A queue that the simulator has.
const QUEUE: &str = "batch";

/// All that is said.
pub(crate) struct Introduction<'a> {
    /// Who runs.
    pub(crate) parts: &'a [Part],
    /// The URI of the broker.
    pub(crate) broker: &'a str,
    /// Whether it is the simulator, whose queues are known.
    pub(crate) simulated: bool,
    /// Where the gateway takes reports.
    pub(crate) ingest: SocketAddr,
    /// Where certificates and logs are.
    pub(crate) dir: &'a Path,
    /// The authority's certificate.
    pub(crate) ca: &'a Path,
    /// The readers' token.
    pub(crate) reader_token: &'a Path,
    /// How old a value may be.
    pub(crate) max_age: Duration,
}

impl Introduction<'_> {
    /// The text. `url` says where a path of the gateway is.
    pub(crate) fn text(&self, url: impl Fn(&str) -> String) -> String {
        let mut text =
            format!("Fluxgauge demo: MiniCluster {MINICLUSTER} in namespace {NAMESPACE}\n\n");
        // Writing to a `String` cannot fail.
        for Part { role, pid, .. } in self.parts {
            let what = match role {
                Role::Simulator => format!("plays a Flux broker at {}", self.broker),
                Role::Gateway => {
                    format!("serves {}, takes reports on {}", url(""), self.ingest)
                }
                Role::Collector => "reads the broker and reports to the gateway".to_owned(),
                Role::Minicluster => continue,
            };
            writeln!(text, "  {role:9}  process {pid:<8} {what}").ok();
        }
        let dir = self.dir.display();
        writeln!(text, "\nCertificates and logs are in {dir}. Try in another terminal:").ok();
        let ca = quote(&self.ca.to_string_lossy());
        let token = quote(&self.reader_token.to_string_lossy());
        let header = format!("\"Authorization: Bearer $(cat {token})\"");
        for (what, path) in self.requests() {
            let url = quote(&url(&path));
            write!(text, "\n  # {what}\n  curl --cacert {ca} -H {header} {url}\n").ok();
        }
        let max_age = humantime::format_duration(self.max_age);
        writeln!(
            text,
            "\nKill one and watch: what is not known any more, or not proved for {max_age}, \
             becomes a 404.\nCtrl-C ends all."
        )
        .ok();
        text
    }

    /// One request for each form of question.
    fn requests(&self) -> [(&'static str, String); 5] {
        let queue = if self.simulated {
            "the same of one queue"
        } else {
            "the same of one queue, if your Flux has one of this name"
        };
        let metric = metric_path(NAMESPACE, "node_up_count");
        let namespace = format!("{API}/namespaces/{NAMESPACE}");
        [
            ("a metric of the MiniCluster", metric.clone()),
            (queue, format!("{metric}?metricLabelSelector=queue%3D{QUEUE}")),
            ("the sum over the namespace", format!("{namespace}/metrics/node_free_count")),
            ("every broker's pod", format!("{namespace}/pods/*/broker_up")),
            ("what there is to ask for", API.to_owned()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_can_be_copied_into_a_shell() {
        let introduction = Introduction {
            parts: &[],
            broker: "local:///b",
            simulated: true,
            ingest: ([127, 0, 0, 1], 2).into(),
            dir: "/my dir".as_ref(),
            ca: "/my dir/ca.crt".as_ref(),
            reader_token: "/my dir/reader-token".as_ref(),
            max_age: Duration::from_secs(10),
        };
        let text = introduction.text(|path| format!("https://localhost:1{path}"));
        let line = "\n  curl --cacert '/my dir/ca.crt' \
                    -H \"Authorization: Bearer $(cat '/my dir/reader-token')\" \
                    'https://localhost:1/apis/custom.metrics.k8s.io/v1beta2/namespaces/demo/\
                    pods/*/broker_up'\n";
        assert!(text.contains(line), "{text}");
    }
}
