//! What gateways do for others with their rights.

use http::Request;
use http_body_util::Empty;
use system_tests::{
    Client, FakeCollector,
    client::{HPC, get, metric_path},
    fake_collector,
};

use super::cluster::{Cluster, Gateway};

/// What gateways do for others with their rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A user reads whom a front proxy names.
    Proxy,
    /// A service account reads by its token.
    Token,
    /// One reads who may do everything, by a certificate.
    Certificate,
    /// Pods are known by their names.
    Pods,
    /// A pod reports by its token.
    Collector,
}

pub(super) const USES: [Use; 5] =
    [Use::Proxy, Use::Token, Use::Certificate, Use::Pods, Use::Collector];

/// Who passes on what others ask.
pub(super) const PROXY: &str = "front-proxy-client";

/// Who reads: a user, and a service account.
pub(super) const ALICE: &str = "alice";
pub(super) const READER: &str = "reader";

impl Cluster {
    /// Whether a gateway does one thing for others, or what it says instead.
    pub(super) async fn works(&self, gateway: &Gateway, one: Use) -> Result<(), String> {
        let client = Client::new(&self.ca, gateway.api);
        let with = |own| client.with_certificate(&self.ca, own);
        match one {
            Use::Proxy => {
                may(&with(&self.proxies.client(PROXY)), &[("x-remote-user", ALICE)]).await
            }
            Use::Token => {
                may(&client, &[("authorization", &format!("Bearer {}", self.token))]).await
            }
            Use::Certificate => may(&with(&self.root), &[]).await,
            Use::Pods => self.sees_pod(gateway, "mc0").await,
            Use::Collector => self.lets_report(gateway).await,
        }
    }

    /// Whether a gateway takes the hello of a pod's collector, which then leaves.
    async fn lets_report(&self, gateway: &Gateway) -> Result<(), String> {
        let channel = fake_collector::channel(&self.ca.pem(), gateway.ingest).await;
        let hello = fake_collector::hello("mc0");
        let connected = FakeCollector::connect_with(channel, hello, Some(&self.pod_token)).await;
        connected.map_err(|refused| refused.to_string())?.leave().await;
        Ok(())
    }

    /// Whether a gateway knows the pod of a MiniCluster, as somebody learns who may read.
    pub(super) async fn sees_pod(
        &self,
        gateway: &Gateway,
        minicluster: &str,
    ) -> Result<(), String> {
        let path = format!("{HPC}/pods/*/broker_up?labelSelector=hpa-selector%3D{minicluster}");
        let client = Client::new(&self.ca, gateway.api);
        let with_certificate = client.with_certificate(&self.ca, &self.root);
        let token = format!("Bearer {}", self.token);
        let by_certificate = ask(&with_certificate, &path, &[]).await;
        let by_token = ask(&client, &path, &[("authorization", &token)]).await;
        let known = format!("no collector has reported from pod {minicluster}-0 yet");
        let answers = [by_certificate, by_token];
        let is_known = answers.iter().any(|(status, text)| *status == 404 && text.contains(&known));
        if is_known { Ok(()) } else { Err(format!("{answers:?}")) }
    }
}

/// Whether somebody may read: of what nobody reports, the answer is that there is nothing.
pub(super) async fn may(client: &Client, headers: &[(&'static str, &str)]) -> Result<(), String> {
    match ask(client, &metric_path("mc0", "node_up_count"), headers).await {
        (404, _) => Ok(()),
        (status, text) => Err(format!("{status}: {text}")),
    }
}

async fn ask(client: &Client, path: &str, headers: &[(&'static str, &str)]) -> (u16, String) {
    let mut request: Request<Empty<bytes::Bytes>> = get(path);
    for (name, value) in headers {
        request.headers_mut().append(*name, value.parse().unwrap());
    }
    let answer = client.send(request).await.unwrap();
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}
