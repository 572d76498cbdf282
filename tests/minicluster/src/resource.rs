//! The custom resource `miniclusters.flux-framework.org/v1alpha2`, as far as it is played here.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::{
    Api, Client,
    core::{ApiResource, GroupVersionKind, Object},
};
use serde::{Deserialize, Serialize};

/// A MiniCluster.
pub type MiniCluster = Object<Spec, Status>;

/// What the user wants, and the autoscaler: it writes `size`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// How many pods there should be.
    pub size: i32,
    /// How many hosts Flux is configured for; as many as there are at first, if not said.
    pub max_size: Option<i32>,
    /// What pods have in common.
    #[serde(default)]
    pub pod: Pod,
    /// What runs in each pod.
    #[serde(default)]
    pub containers: Vec<Container>,
}

/// What pods have in common.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pod {
    /// Labels beside those of the operator.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The account that they run under.
    pub service_account_name: Option<String>,
    /// Whether its token is mounted; not, if not said.
    #[serde(default)]
    pub automount_service_account_token: bool,
}

/// A container of each pod.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Its name; that of the broker's container is the MiniCluster's.
    pub name: Option<String>,
    /// Its image.
    pub image: String,
    /// Whether it is the broker's; needs to be said where there are several.
    #[serde(default)]
    pub run_flux: bool,
    /// Its variables.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What is mounted, by name.
    #[serde(default)]
    pub volumes: BTreeMap<String, Volume>,
    /// What it asks of its node.
    pub resources: Option<ResourceRequirements>,
}

/// A mounted ConfigMap.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name.
    pub config_map_name: String,
    /// The folder in the container.
    pub path: String,
    /// Files by the key that they come from.
    #[serde(default)]
    pub items: BTreeMap<String, String>,
}

/// What the operator tells.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The size that was accepted last; 0 until the first resize.
    #[serde(default)]
    pub size: i32,
    /// The largest size.
    #[serde(default)]
    pub maximum_size: i32,
    /// Which pods are its own.
    #[serde(default)]
    pub selector: String,
}

/// Group, version and kind.
pub fn kind() -> ApiResource {
    let kind = GroupVersionKind::gvk("flux-framework.org", "v1alpha2", "MiniCluster");
    ApiResource::from_gvk_with_plural(&kind, "miniclusters")
}

/// The MiniClusters of a namespace.
pub fn of_namespace(client: Client, namespace: &str) -> Api<MiniCluster> {
    Api::namespaced_with(client, namespace, &kind())
}
