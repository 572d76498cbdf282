//! What Fluxgauge promises to a real Kubernetes control plane, one file each. A program of its own:
//! it needs Go, and each test starts several hundred megabytes of Kubernetes.

mod attackers;
mod authority;
mod available;
mod closed_loop;
mod collectors;
mod conformance;
mod installed;
mod kubectl;
mod readers;
mod reads;
mod replicas;
mod rights;
mod start;
