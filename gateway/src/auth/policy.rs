//! Who may read, as the command line says, and why nobody could read or report.

use std::path::PathBuf;

use thiserror::Error;

/// Who may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// Whom Kubernetes lets.
    #[default]
    Kubernetes,
    /// Whoever has the token in this file.
    TokenFile(PathBuf),
    /// Anybody.
    Anybody,
}

/// Why nobody could ever read, or report.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// There is no Kubernetes.
    #[error(
        "there is no Kubernetes here to ask who may read: give --kubeconfig FILE; or --kubernetes \
         off with --reader-token-file FILE; or let anybody read by --insecure-readers"
    )]
    NobodyToAsk,
    /// The file of the token cannot be used.
    #[error("--reader-token-file {}: it {problem}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// No collector can prove anything.
    #[error(
        "there is no Kubernetes here to ask who may report: give --kubeconfig FILE; or \
         --collector-token-dir DIR or --collector-ca FILE; or let anybody report by \
         --insecure-collectors"
    )]
    NobodyReports,
    /// The file of the collectors' authority cannot be used.
    #[error("--collector-ca {}: it {problem}", path.display())]
    CollectorCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The directory of tokens cannot be used.
    #[error("--collector-token-dir {}: it {problem}", path.display())]
    TokenDir {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomNumbers,
}
