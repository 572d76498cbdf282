//! A token of a pod's service account in a file, got and renewed as kubelet does.

use std::{path::PathBuf, time::Duration};

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount, ServiceAccountTokenProjection},
};
use kube::{Api, Client, ResourceExt as _, api::PostParams};
use tokio::{fs, time::sleep};
use tracing::warn;

/// How long tokens last where the pod does not say, in seconds.
const DEFAULT_SECONDS: i64 = 3600;

/// Before what failed is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// A token, where it is written, and how it is asked for.
pub(super) struct MountedToken {
    accounts: Api<ServiceAccount>,
    account: String,
    request: TokenRequestSpec,
    file: PathBuf,
}

impl MountedToken {
    pub(super) fn new(
        client: &Client,
        pod: &Pod,
        wanted: &ServiceAccountTokenProjection,
        file: PathBuf,
    ) -> Self {
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        let pod_itself = BoundObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Pod".to_owned()),
            name: Some(pod.name_any()),
            uid: pod.uid(),
        };
        Self {
            accounts: Api::namespaced(client.clone(), &pod.namespace().unwrap_or_default()),
            account: account.unwrap_or_else(|| "default".to_owned()),
            request: TokenRequestSpec {
                audiences: wanted.audience.iter().cloned().collect(),
                bound_object_ref: Some(pod_itself),
                expiration_seconds: wanted.expiration_seconds,
            },
            file,
        }
    }

    /// Writes a new token.
    pub(super) async fn write(&self) -> Result<(), kube::Error> {
        let request = TokenRequest { spec: self.request.clone(), ..TokenRequest::default() };
        let parameters = PostParams::default();
        let made = self.accounts.create_token_request(&self.account, &parameters, &request).await?;
        let token = made.status.map(|status| status.token).unwrap_or_default();
        // Written beside and exchanged, so that nobody reads half a token.
        let next = self.file.with_extension("next");
        let written = async {
            fs::write(&next, token).await?;
            fs::rename(&next, &self.file).await
        };
        written.await.map_err(|error| kube::Error::Service(error.into()))
    }

    /// Renews it when a fifth of its time is left, for ever.
    pub(super) async fn keep(self) {
        let lasts = self.request.expiration_seconds.unwrap_or(DEFAULT_SECONDS);
        let lasts = Duration::from_secs(u64::try_from(lasts).unwrap_or_default()) / 5 * 4;
        let mut next = lasts;
        loop {
            sleep(next).await;
            next = match self.write().await {
                Ok(()) => lasts,
                Err(error) => {
                    warn!(%error, "a token is not renewed");
                    RETRY
                }
            };
        }
    }
}
