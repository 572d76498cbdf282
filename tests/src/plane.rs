//! A real control plane for a test, or a line that says why there is none.

use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

use control_plane::{ControlPlane, Go, Options, Programs, Progress};
use kube::{
    Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// Where it is set, a test that cannot have a control plane fails instead of being skipped.
pub const REQUIRED: &str = "FLUXGAUGE_REQUIRE_CONTROL_PLANE";

/// Starts a control plane; `None`: there is no Go here, and a line on standard error says so.
///
/// # Panics
///
/// When it does not start, or when it cannot and is [`REQUIRED`].
pub async fn start(options: &Options) -> Option<ControlPlane> {
    let go = match Go::find() {
        Ok(go) => go,
        Err(error) => {
            assert!(std::env::var_os(REQUIRED).is_none(), "{error}");
            say(&format!("skipped {}: {error}", this_test()));
            return None;
        }
    };
    let dir = target_dir().join("control-plane");
    let programs = Programs::build(&go, &dir, |progress| match progress {
        Progress::Waits => say("waiting for another test that builds the control plane"),
        Progress::Begins { .. } => {
            say("building the control plane: 5 minutes or more the first time");
        }
        Progress::Line(_) => {}
    });
    let programs = programs.unwrap_or_else(|error| panic!("{error}"));
    let plane = ControlPlane::start(&programs, options).await;
    let plane = plane.unwrap_or_else(|error| panic!("{error}"));
    // By this CI knows that these tests ran.
    fs::write(dir.join("started"), "").unwrap();
    Some(plane)
}

/// A client of the API server as the administrator, that hides no failure by trying again.
pub async fn client(plane: &ControlPlane) -> kube::Client {
    crate::install_crypto();
    let kubeconfig = Kubeconfig::read_from(plane.admin_kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let mut config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    config.default_retry = false;
    kube::Client::try_from(config).unwrap()
}

/// The name of the test that runs, as the test program prints it.
pub fn this_test() -> String {
    std::thread::current().name().unwrap_or("a test").to_owned()
}

/// Says something that the test program does not keep for itself, as it does with `eprintln!`.
pub fn say(line: &str) {
    writeln!(io::stderr(), "{line}").ok();
}

/// The folder of build results that this program is in.
fn target_dir() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let marked = program.ancestors().find(|dir| dir.join("CACHEDIR.TAG").exists());
    marked.unwrap_or_else(|| panic!("{} is in no target folder", program.display())).to_owned()
}
