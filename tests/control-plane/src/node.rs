//! Nodes for pods to be scheduled to.

use serde_json::json;

use crate::{KubectlError, plane::ControlPlane};

/// Memory of a node: enough for any number of pods.
const MEMORY: &str = "1Ti";

/// Pods of a node, as a kubelet has it.
const PODS: u32 = 110;

impl ControlPlane {
    /// Adds a node with so many cores and waits until it is Ready; pods that are scheduled there
    /// become Ready too, with addresses where nothing listens.
    ///
    /// # Errors
    ///
    /// When the API server refuses it, or kwok does not run: see [`crate::Extent::Pods`].
    pub async fn add_node(&self, name: &str, cores: u32) -> Result<(), KubectlError> {
        let resources =
            json!({ "cpu": cores.to_string(), "memory": MEMORY, "pods": PODS.to_string() });
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": name, "labels": { "kubernetes.io/hostname": name } },
            "status": { "allocatable": resources, "capacity": resources },
        });
        self.kubectl_with_input(&["create", "--filename=-"], &node.to_string()).await?;
        let node = format!("node/{name}");
        self.kubectl(&["wait", "--for=condition=Ready", "--timeout=60s", &node]).await?;
        Ok(())
    }
}
