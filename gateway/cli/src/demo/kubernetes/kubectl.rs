//! The real kubectl, for whoever tries something in another terminal.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use control_plane::Programs;

use crate::demo::children::quote;

/// Files that let people use the cluster.
#[derive(Debug)]
pub(super) struct Kubectl {
    /// A script that is kubectl for this cluster.
    pub(super) script: PathBuf,
    /// What any other kubectl needs.
    pub(super) kubeconfig: PathBuf,
}

impl Kubectl {
    /// Writes `kubectl` and `kubeconfig`, a copy of `admin`.
    pub(super) fn write(dir: &Path, programs: &Programs, admin: &Path) -> io::Result<Self> {
        let this = Self { script: dir.join("kubectl"), kubeconfig: dir.join("kubeconfig") };
        fs::copy(admin, &this.kubeconfig)?;
        fs::write(&this.script, this.text(programs.path(), &dir.join("kubectl-cache")))?;
        fs::set_permissions(&this.script, fs::Permissions::from_mode(0o755))?;
        Ok(this)
    }

    /// The program has kubectl as a subcommand; nothing of the user's own settings counts.
    fn text(&self, program: &Path, cache: &Path) -> String {
        let [kubeconfig, program, cache] = [&self.kubeconfig, program, cache].map(shell);
        format!(
            "#!/bin/sh\n\
             export KUBECONFIG={kubeconfig} KUBERC=off\n\
             exec {program} kubectl --cache-dir {cache} \"$@\"\n"
        )
    }
}

/// A path as a word of a shell.
pub(super) fn shell(path: &Path) -> String {
    quote(&path.to_string_lossy())
}
