//! Who may report, as the command line says.

use std::path::PathBuf;

/// The audience of tokens that are made for gateways alone.
pub const AUDIENCE: &str = "fluxgauge";

/// Who may report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Whoever proves where it runs.
    Proved(Ways),
    /// Anybody.
    Anybody,
}

/// How that can be proved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ways {
    /// By tokens of service accounts, which Kubernetes reviews.
    pub accounts: Option<Accounts>,
    /// By a certificate of an authority in this file.
    pub authority: Option<PathBuf>,
    /// By a token in the file of this directory that is named after the namespace.
    pub token_dir: Option<PathBuf>,
    /// Whether an account that names no pod may report for its namespace.
    pub by_namespace: bool,
}

/// Which tokens of service accounts are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// The audience of tokens that are taken beside the API server's own.
    pub audience: String,
}
