//! A network of its own for a test that needs addresses beside the loopback's.

use std::{fs, net::Ipv4Addr, path::PathBuf, process::Command};

use tempfile::TempDir;

use crate::plane::say;

/// Addresses of this machine in the namespace, of a range for documentation.
pub const ADDRESSES: [Ipv4Addr; 4] = [
    Ipv4Addr::new(198, 51, 100, 11),
    Ipv4Addr::new(198, 51, 100, 12),
    Ipv4Addr::new(198, 51, 100, 13),
    Ipv4Addr::new(198, 51, 100, 14),
];

/// Tells the test program that it is inside, by a file to make.
const INSIDE: &str = "FLUXGAUGE_TEST_NETWORK_NAMESPACE";

/// Runs `test` in a network namespace that nothing else is in: this program starts itself there for
/// the one test of this `name`, as `--exact` takes it. Where the kernel makes no namespaces for
/// this user, a line on standard error says that the test is skipped.
///
/// # Panics
///
/// When the test does, or when there is no test of this name, or when root gets no namespace.
pub fn run(name: &str, test: impl Future<Output = ()>) {
    if let Some(file) = std::env::var_os(INSIDE) {
        fs::write(PathBuf::from(file), "").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.unwrap().block_on(test);
    }
    let forbidden = match Command::new("unshare").args(["-rn", "ip", "link"]).output() {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("unshare: {error}")),
    };
    if let Some(reason) = forbidden {
        assert!(!rustix::process::getuid().is_root(), "no network namespace: {reason}");
        say(&format!(
            "skipped {name}: it needs a network namespace, and {reason}; \
             install util-linux and iproute2, or run it as root"
        ));
        return;
    }
    let dir = TempDir::new().unwrap();
    let began = dir.path().join("began");
    let addresses = ADDRESSES.map(|address| format!("ip addr add {address}/32 dev lo"));
    let script = format!("set -e; ip link set lo up; {}; exec \"$@\"", addresses.join("; "));
    let output = Command::new("unshare")
        .args(["-rn", "sh", "-c", &script, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--include-ignored", "--nocapture"])
        .env(INSIDE, &began)
        // Standard error is this program's own: what is skipped, and why a test fails.
        .stderr(std::process::Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{name} failed in its network namespace, see above");
    assert!(began.exists(), "no test is named {name}");
}
