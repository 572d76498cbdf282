//! What a control plane is to be like.

use std::time::Duration;

/// What a control plane is to be like. The default is the least: one API server.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Which parts run.
    pub extent: Extent,
    /// How the aggregator reaches API servers behind it.
    pub aggregation: Aggregation,
    /// CustomResourceDefinitions in YAML that are there before the controllers start: those look for
    /// new kinds only every 30 s. Empty: none.
    pub definitions: &'static str,
    /// How often the HorizontalPodAutoscaler decides.
    pub autoscaler_sync_period: Duration,
    /// How long it waits before it shrinks, where an autoscaler does not say.
    pub autoscaler_downscale_stabilization: Duration,
}

/// Which parts run. Each includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// etcd and kube-apiserver: 350 MB.
    #[default]
    Api,
    /// kube-controller-manager too, with the autoscaler and the Job controller: 120 MB more.
    Controllers,
    /// kube-scheduler and kwok too, so that pods become Ready: 230 MB more.
    Pods,
}

/// How the aggregator reaches API servers behind it, where no kube-proxy makes ClusterIPs work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregation {
    /// By a Service of type ExternalName, at the port that the APIService names.
    #[default]
    ExternalName,
    /// By ready addresses of EndpointSlices, one at random for each request. They may not be
    /// loopback addresses.
    Endpoints,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            extent: Extent::default(),
            aggregation: Aggregation::default(),
            definitions: "",
            autoscaler_sync_period: Duration::from_secs(1),
            autoscaler_downscale_stabilization: Duration::from_secs(5),
        }
    }
}
