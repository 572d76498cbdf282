//! A control plane that runs.

use std::{
    fs,
    io::{self, Write as _},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use thiserror::Error;
use tokio::process::Command;

use crate::{
    KubectlError, Programs,
    flags::{self, Places},
    kubeconfig,
    options::{Extent, Options},
    part::Part,
    pki::Pki,
};

/// How long a part may take to become ready: ten times what it takes on two idle cores.
const READY_TIMEOUT: Duration = Duration::from_secs(120);

/// Between two looks whether a part has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Ports that are tried: below those that the kernel gives to outgoing connections, so that none
/// takes one between its choice and its use.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How many are tried before the system is asked for any.
const PORT_TRIES: usize = 50;

/// What kwok does to nodes and pods.
const STAGES: &str = include_str!("../kubernetes/stages.yaml");

/// What is written to the audit log.
const AUDIT_POLICY: &str = include_str!("../kubernetes/audit-policy.yaml");

/// A control plane. Dropping it kills every part and removes its folder, unless the thread panics:
/// then the folder stays, for its logs, and is named on standard error.
#[derive(Debug)]
pub struct ControlPlane {
    // The parts end before their folder goes.
    parts: Vec<Part>,
    folder: TempDir,
    pub(crate) programs: Programs,
    pub(crate) pki: Pki,
    pub(crate) server: String,
    pub(crate) admin: PathBuf,
}

/// Why a control plane did not start. Where a part is named, its log stays.
#[derive(Debug, Error)]
pub enum StartError {
    /// There are no keys.
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The API server refuses what is to be defined.
    #[error("cannot define custom resources")]
    Definitions(#[from] KubectlError),
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is no port, or no process.
    #[error("cannot start {part}")]
    Process {
        /// What was started.
        part: &'static str,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A part ended at once.
    #[error("{part} ended with {status}; the end of {log}:{last_lines}")]
    Ended {
        /// Which.
        part: &'static str,
        /// How.
        status: ExitStatus,
        /// Its log.
        log: PathBuf,
        /// The last that it said.
        last_lines: String,
    },
    /// A part did not become ready.
    #[error("{part} is not ready after {READY_TIMEOUT:?}, {reason}; the end of {log}:{last_lines}")]
    NotReady {
        /// Which.
        part: &'static str,
        /// What its health check says.
        reason: String,
        /// Its log.
        log: PathBuf,
        /// The last that it said.
        last_lines: String,
    },
}

impl StartError {
    pub(crate) fn writes(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Write { path: path.to_owned(), source }
    }

    fn starts(part: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Process { part, source }
    }
}

impl ControlPlane {
    /// Starts the parts and waits until each is ready: 5 s on two idle cores.
    ///
    /// # Errors
    ///
    /// When one of them does not start. Its folder then stays, for its logs.
    pub async fn start(programs: &Programs, options: &Options) -> Result<Self, StartError> {
        let folder = TempDir::with_prefix("control-plane-")
            .map_err(StartError::writes(&std::env::temp_dir()))?;
        let port = free_port().map_err(StartError::starts("kube-apiserver"))?;
        let server = format!("https://127.0.0.1:{port}");
        let pki = Pki::create(&folder.path().join("pki"))?;
        let admin = kubeconfig::of_user(&pki, &server, "admin", Some("system:masters"))?;
        let mut plane =
            Self { parts: Vec::new(), folder, programs: programs.clone(), pki, server, admin };
        let started = plane.start_parts(port, options).await;
        if let Err(error) = started {
            plane.folder.disable_cleanup(true);
            return Err(error);
        }
        Ok(plane)
    }

    /// Where its files and logs are.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The program that its parts are.
    pub const fn programs(&self) -> &Programs {
        &self.programs
    }

    /// The API server's URL.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What was asked of the API server, one event of audit.k8s.io/v1 a line: who did what to what,
    /// and how it was answered; no bodies but those of SubjectAccessReviews.
    pub fn audit_log(&self) -> PathBuf {
        self.dir().join("logs/audit.log")
    }

    async fn start_parts(&mut self, port: u16, options: &Options) -> Result<(), StartError> {
        let dir = self.dir().to_owned();
        let places = Places {
            etcd_socket: dir.join("etcd.sock"),
            etcd_data: dir.join("etcd"),
            audit_policy: dir.join("audit-policy.yaml"),
            audit_log: self.audit_log(),
            stages: dir.join("stages.yaml"),
            apiserver_port: port,
        };
        let write = |path: &Path, text| fs::write(path, text).map_err(StartError::writes(path));
        write(&places.audit_policy, AUDIT_POLICY)?;
        write(&places.stages, STAGES)?;
        let logs = dir.join("logs");
        fs::create_dir(&logs).map_err(StartError::writes(&logs))?;

        let socket = format!("--socket={}", places.etcd_socket.display());
        let health = ["http://etcd/readyz".to_owned(), socket];
        let etcd = self.spawn("etcd", &flags::etcd(&places), health)?;
        self.ready(etcd).await?;

        let flags = flags::apiserver(&places, &self.pki, options);
        let health = [format!("{}/readyz", self.server), String::new()];
        let apiserver = self.spawn("kube-apiserver", &flags, health)?;
        self.ready(apiserver).await?;
        if !options.definitions.is_empty() {
            self.define(options.definitions).await?;
        }

        let mut others = Vec::new();
        if options.extent >= Extent::Controllers {
            others.push(self.start_controller_manager(options)?);
        }
        if options.extent >= Extent::Pods {
            others.push(self.start_scheduler()?);
            others.push(self.start_kwok(&places)?);
        }
        for part in others {
            self.ready(part).await?;
        }
        Ok(())
    }

    async fn define(&self, definitions: &str) -> Result<(), StartError> {
        self.apply(definitions).await?;
        let served = ["wait", "--for=condition=Established", "--timeout=60s", "--filename=-"];
        self.kubectl_with_input(&served, definitions).await?;
        Ok(())
    }

    fn start_controller_manager(&mut self, options: &Options) -> Result<Starting, StartError> {
        let name = "kube-controller-manager";
        let port = free_port().map_err(StartError::starts(name))?;
        let user = format!("system:{name}");
        let kubeconfig = kubeconfig::of_user(&self.pki, &self.server, &user, None)?;
        let flags = flags::controller_manager(&self.pki, &kubeconfig, port, options);
        self.spawn(name, &flags, [format!("https://127.0.0.1:{port}/healthz"), String::new()])
    }

    fn start_scheduler(&mut self) -> Result<Starting, StartError> {
        let name = "kube-scheduler";
        let port = free_port().map_err(StartError::starts(name))?;
        let user = format!("system:{name}");
        let kubeconfig = kubeconfig::of_user(&self.pki, &self.server, &user, None)?;
        let flags = flags::scheduler(&kubeconfig, port);
        self.spawn(name, &flags, [format!("https://127.0.0.1:{port}/readyz"), String::new()])
    }

    /// kwok is all kubelets at once and may do what it likes.
    fn start_kwok(&mut self, places: &Places) -> Result<Starting, StartError> {
        let port = free_port().map_err(StartError::starts("kwok"))?;
        let kubeconfig =
            kubeconfig::of_user(&self.pki, &self.server, "kwok", Some("system:masters"))?;
        let flags = flags::kwok(places, &kubeconfig, port);
        self.spawn("kwok", &flags, [format!("http://127.0.0.1:{port}/readyz"), String::new()])
    }

    fn spawn(
        &mut self,
        name: &'static str,
        flags: &[String],
        health: [String; 2],
    ) -> Result<Starting, StartError> {
        let part = Part::start(self.programs.path(), name, flags, &self.dir().join("logs"))
            .map_err(StartError::starts(name))?;
        self.parts.push(part);
        Ok(Starting { name, health })
    }

    /// Waits until a part is ready, or any has ended.
    async fn ready(&mut self, Starting { name, health }: Starting) -> Result<(), StartError> {
        let [url, socket] = health;
        let mut command = Command::new(self.programs.path());
        command.args(["ready", &format!("--timeout={}s", READY_TIMEOUT.as_secs())]);
        command.args((!socket.is_empty()).then_some(socket)).arg(url);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().map_err(StartError::starts("ready"))?;
        // As long as this is open, somebody waits.
        let _stdin = child.stdin.take();
        let mut look = tokio::time::interval(POLL_INTERVAL);
        let probe = child.wait_with_output();
        tokio::pin!(probe);
        let output = loop {
            tokio::select! {
                output = &mut probe => break output.map_err(StartError::starts("ready"))?,
                _ = look.tick() => self.all_run()?,
            }
        };
        if output.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let Some(part) = self.parts.iter().find(|part| part.name == name) else { return Ok(()) };
        let (log, last_lines) = (part.log.clone(), part.last_lines());
        Err(StartError::NotReady { part: name, reason, log, last_lines })
    }

    fn all_run(&mut self) -> Result<(), StartError> {
        for part in &mut self.parts {
            if let Some(status) = part.ended().map_err(StartError::starts(part.name))? {
                return Err(StartError::Ended {
                    part: part.name,
                    status,
                    log: part.log.clone(),
                    last_lines: part.last_lines(),
                });
            }
        }
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            let logs = self.dir().join("logs");
            writeln!(io::stderr(), "the control plane's logs are in {}", logs.display()).ok();
        }
    }
}

/// A part that was started and is not known to be ready.
#[derive(Debug)]
struct Starting {
    name: &'static str,
    /// Its health URL, and where it is not on a port, the flag that names its socket.
    health: [String; 2],
}

/// A port of the loopback address that nobody listens on.
fn free_port() -> io::Result<u16> {
    let free = |port: u16| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        Ok(listener.local_addr()?.port())
    };
    (0..PORT_TRIES).find_map(|_| free(fastrand::u16(PORTS)).ok()).map_or_else(|| free(0), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A plane without parts, and its folder.
    fn empty() -> (ControlPlane, PathBuf) {
        let folder = TempDir::with_prefix("control-plane-test-").unwrap();
        let dir = folder.path().to_owned();
        let plane = ControlPlane {
            parts: Vec::new(),
            pki: Pki::create(&dir.join("pki")).unwrap(),
            folder,
            programs: Programs::at(Path::new("/bin/false")),
            server: String::new(),
            admin: PathBuf::new(),
        };
        (plane, dir)
    }

    #[test]
    fn the_folder_stays_where_a_test_fails_and_only_there() {
        let (plane, dir) = empty();
        drop(plane);
        assert!(!dir.exists());

        let (plane, dir) = empty();
        let failing = std::thread::spawn(move || {
            let _plane = plane;
            panic!("as a test does");
        });
        failing.join().unwrap_err();
        assert!(dir.join("pki/ca.crt").exists());
        fs::remove_dir_all(dir).unwrap();
    }

    #[tokio::test]
    async fn what_kubectl_says_is_in_its_error() {
        let (mut plane, _) = empty();
        plane.programs = Programs::at(Path::new("/bin/ls"));
        let error = plane.kubectl(&["get", "pods"]).await.unwrap_err().to_string();
        assert!(error.starts_with("kubectl get pods: ") && error.contains("ls"), "{error}");
    }
}
