//! A real Kubernetes control plane on this machine: no containers, no root, nothing downloaded but
//! Go modules.
//!
//! ```text
//!  go/ ──Go::find, Programs::build──▶ one program ──ControlPlane::start──▶ etcd
//!                                                                           ▲ Unix socket
//!                                     kubectl ──▶ kube-apiserver ───────────┘
//!                                                  ▲    │ aggregator
//!                   kube-controller-manager ───────┤    ▼
//!                   kube-scheduler, kwok ──────────┘   a metrics API server that a test runs
//! ```
//!
//! The Go module in `go/` is compiled into this crate as text, so that whoever has the crate can
//! build the program. kwok plays the kubelets: it makes nodes and pods Ready and runs nothing.

pub mod go;
pub mod kubeconfig;
pub mod kubectl;
pub mod node;
pub mod options;
pub mod plane;
pub mod programs;

mod flags;
mod part;
mod pki;

pub use go::{Go, NoGo};
pub use kubectl::KubectlError;
pub use options::{Aggregation, Extent, Options};
pub use plane::{ControlPlane, StartError};
pub use programs::{BuildError, Programs, Progress};

/// A definition of `miniclusters.flux-framework.org` with what autoscaling needs: the scale
/// subresource is the Flux Operator's, the rest is anything.
pub const MINICLUSTER_CRD: &str = include_str!("../kubernetes/minicluster-crd.yaml");
