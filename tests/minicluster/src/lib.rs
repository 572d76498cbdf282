//! What turns a MiniCluster into brokers that report, where there is a control plane and nothing
//! else: no Flux Operator, no kubelet, no Flux.
//!
//! ```text
//!  HorizontalPodAutoscaler ──scale──▶ MiniCluster
//!                                         │ spec.size
//!                                         ▼
//!                                     operator  (plays the Flux Operator)
//!                                         │ parallelism, completions
//!                                         ▼
//!                                        Job ──Job controller──▶ pods ──scheduler, kwok──▶ Ready
//!                                                                 │
//!            brokers  (play what runs in the pods)  ◀──watch──────┘
//!               │ pod i is Ready: rank i joins, its collector starts
//!               │ pod i ends: its collector leaves, rank i is lost
//!               ▼
//!        one simulated Flux ◀──socket of rank i── collector of pod i ──gRPC──▶ gateways
//! ```
//!
//! The Job controller, the scheduler and kwok are those of the control plane, the collectors are
//! the real ones. The rest behaves as recorded from a real Flux Operator.

pub mod brokers;
pub mod operator;
pub mod resource;

pub use brokers::Brokers;
pub use resource::MiniCluster;
