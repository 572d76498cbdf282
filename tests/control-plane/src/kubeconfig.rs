//! Files by which clients find the API server and prove who they are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    kubectl::KubectlError,
    pki::{Pair, Pki},
    plane::{ControlPlane, StartError},
};

impl ControlPlane {
    /// The kubeconfig of one who may do everything.
    pub fn admin_kubeconfig(&self) -> &Path {
        &self.admin
    }

    /// Makes a kubeconfig that proves by a certificate that the client is this user.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn user_kubeconfig(&self, user: &str, group: Option<&str>) -> Result<PathBuf, StartError> {
        of_user(&self.pki, &self.server, user, group)
    }

    /// Makes a kubeconfig with a new token of a ServiceAccount, which must exist. It lasts an hour. Its
    /// namespace is the account's, as in a pod.
    ///
    /// # Errors
    ///
    /// When there is no such account, or the file cannot be written.
    pub async fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<PathBuf, KubectlError> {
        let token = self.kubectl(&["create", "token", name, "--namespace", namespace]).await?;
        let path = self.pki.file(&format!("service-account-{namespace}-{name}.kubeconfig"));
        let text = document(&self.pki, &self.server, namespace, &json!({ "token": token.trim() }));
        fs::write(&path, text).map_err(KubectlError::Io)?;
        Ok(path)
    }
}

/// Makes a kubeconfig with a new client certificate.
pub(crate) fn of_user(
    pki: &Pki,
    server: &str,
    user: &str,
    group: Option<&str>,
) -> Result<PathBuf, StartError> {
    let Pair { certificate, key } = pki.user(user, group)?;
    let path = certificate.with_extension("kubeconfig");
    let proof = json!({ "client-certificate": certificate, "client-key": key });
    fs::write(&path, document(pki, server, "default", &proof))
        .map_err(StartError::writes(&path))?;
    Ok(path)
}

/// JSON is YAML too.
fn document(pki: &Pki, server: &str, namespace: &str, proof: &Value) -> String {
    let cluster = json!({ "server": server, "certificate-authority": pki.file("ca.crt") });
    let context = json!({ "cluster": "test", "user": "user", "namespace": namespace });
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "test", "cluster": cluster }],
        "users": [{ "name": "user", "user": proof }],
        "contexts": [{ "name": "test", "context": context }],
        "current-context": "test",
    })
    .to_string()
}
