//! The real kubectl.

use std::{io, process::Stdio};

use thiserror::Error;
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::plane::ControlPlane;

/// Why kubectl did not do what it was told.
#[derive(Debug, Error)]
pub enum KubectlError {
    /// It could not run, or its files could not be written.
    #[error("cannot run kubectl")]
    Io(#[from] io::Error),
    /// It failed.
    #[error("kubectl {args}: {stderr}")]
    Failed {
        /// What it was told.
        args: String,
        /// What it said.
        stderr: String,
    },
}

impl ControlPlane {
    /// Runs kubectl as the administrator and returns what it prints.
    ///
    /// # Errors
    ///
    /// When it fails: what it says on standard error.
    pub async fn kubectl(&self, args: &[&str]) -> Result<String, KubectlError> {
        self.kubectl_with_input(args, "").await
    }

    /// The same, with `input` where `--filename=-` is read.
    ///
    /// # Errors
    ///
    /// When it fails.
    pub async fn kubectl_with_input(
        &self,
        args: &[&str],
        input: &str,
    ) -> Result<String, KubectlError> {
        let mut child = self
            .kubectl_command()
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // One that has failed already reads no more, and says so below.
            stdin.write_all(input.as_bytes()).await.ok();
        }
        let output = child.wait_with_output().await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(KubectlError::Failed { args: args.join(" "), stderr })
    }

    /// Creates or changes the objects of a document in YAML or JSON.
    ///
    /// # Errors
    ///
    /// When the API server refuses one, or would drop a field that it does not know.
    pub async fn apply(&self, document: &str) -> Result<String, KubectlError> {
        let args = ["apply", "--server-side", "--validate=strict", "--filename=-"];
        self.kubectl_with_input(&args, document).await
    }

    /// kubectl as the administrator, for what the others cannot do: watch, or be another user by a
    /// later `--kubeconfig`.
    pub fn kubectl_command(&self) -> Command {
        let mut command = Command::new(self.programs.path());
        command
            .arg("kubectl")
            .arg("--kubeconfig")
            .arg(&self.admin)
            .arg("--cache-dir")
            .arg(self.dir().join("kubectl-cache"))
            // Nothing of the user's own settings.
            .env("KUBERC", "off")
            .env_remove("KUBECONFIG")
            .kill_on_drop(true);
        command
    }
}
