//! The program that holds all parts of the control plane: built once, then found.

use std::{
    collections::VecDeque,
    fs::{self, File, TryLockError},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use thiserror::Error;

use crate::Go;

/// The Go module, file by file.
const SOURCES: [(&str, &str); 14] = [
    ("conformance/conformance.go", include_str!("../go/conformance/conformance.go")),
    ("conformance/discovery.go", include_str!("../go/conformance/discovery.go")),
    ("conformance/document.go", include_str!("../go/conformance/document.go")),
    ("conformance/golden.go", include_str!("../go/conformance/golden.go")),
    ("conformance/openapi.go", include_str!("../go/conformance/openapi.go")),
    ("conformance/reads.go", include_str!("../go/conformance/reads.go")),
    ("etcd.go", include_str!("../go/etcd.go")),
    ("go.mod", include_str!("../go/go.mod")),
    ("go.sum", include_str!("../go/go.sum")),
    ("kubernetes.go", include_str!("../go/kubernetes.go")),
    ("kwok.go", include_str!("../go/kwok.go")),
    ("main.go", include_str!("../go/main.go")),
    ("ready.go", include_str!("../go/ready.go")),
    ("scrape.go", include_str!("../go/scrape.go")),
];

/// What the parts say that they are; without it they have no version, and kubectl refuses them.
const LINKER_FLAGS: &str = "-s -w -X k8s.io/component-base/version.gitVersion=v1.36.0 \
     -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36";

/// Lines of Go that an error shows.
const LAST_LINES: usize = 20;

/// The built program.
#[derive(Clone, Debug)]
pub struct Programs {
    program: PathBuf,
}

/// What a build does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<'a> {
    /// Another process builds the same; this one waits for it.
    Waits,
    /// The build begins: minutes where Go has built nothing like it before, else seconds.
    Begins {
        /// The process id of Go. SIGINT ends it after what it compiles at the moment.
        go: u32,
    },
    /// A line of Go: a module that is downloaded, or a package that is compiled. 2,000 or so.
    Line(&'a str),
}

/// Why there is no program.
#[derive(Debug, Error)]
pub enum BuildError {
    /// The folder cannot be written.
    #[error("cannot build the control plane in {dir}")]
    Io {
        /// The folder.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Go failed. It needs the module proxy, or modules that are downloaded already.
    #[error("go build of the control plane in {dir} ended with {status}:\n{}", lines(.last_lines))]
    Go {
        /// The folder.
        dir: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last that it said.
        last_lines: VecDeque<String>,
    },
}

impl Programs {
    /// Builds the program below `dir`, unless it is there already. Blocks the thread for seconds to
    /// minutes. Processes that ask at the same time build once.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written, or Go fails.
    pub fn build(
        go: &Go,
        dir: &Path,
        mut progress: impl FnMut(Progress<'_>),
    ) -> Result<Self, BuildError> {
        let dir = dir.join(fingerprint());
        let failed = |source| BuildError::Io { dir: dir.clone(), source };
        let program = dir.join("control-plane");
        fs::create_dir_all(&dir).map_err(failed)?;
        let _lock = lock(&dir.join("lock"), &mut progress).map_err(failed)?;
        if !program.exists() {
            build(go, &dir, &program, progress)?;
        }
        Ok(Self { program })
    }

    /// Another program in its place.
    #[cfg(test)]
    pub(crate) fn at(program: &Path) -> Self {
        Self { program: program.to_owned() }
    }

    /// The program's path. Its first argument is the part to run: `kubectl`, `kube-apiserver`, …
    pub fn path(&self) -> &Path {
        &self.program
    }
}

/// Where a program keeps what it has built for itself: `control-plane` in the folder of Cargo's
/// results that it is in, so that the tests and the demo of a checkout build once; else `fluxgauge`
/// in the user's cache. `None`: the environment names no home.
pub fn dir() -> Option<PathBuf> {
    let program = std::env::current_exe().ok();
    let mut folders = program.iter().flat_map(|program| program.ancestors());
    if let Some(target) = folders.find(|dir| dir.join("CACHEDIR.TAG").exists()) {
        return Some(target.join("control-plane"));
    }
    let absolute = |name: &str| {
        let path = PathBuf::from(std::env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let home = || Some(absolute("HOME")?.join(".cache"));
    Some(absolute("XDG_CACHE_HOME").or_else(home)?.join("fluxgauge"))
}

fn build(
    go: &Go,
    dir: &Path,
    program: &Path,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<(), BuildError> {
    let failed = |source| BuildError::Io { dir: dir.to_owned(), source };
    let sources = dir.join("go");
    fs::create_dir_all(sources.join("conformance")).map_err(failed)?;
    for (name, text) in SOURCES {
        fs::write(sources.join(name), text).map_err(failed)?;
    }
    // Under another name first: a build that is killed leaves no half a program.
    let unfinished = dir.join("unfinished");
    let mut child = go
        .command(["build", "-v", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags"])
        .args([LINKER_FLAGS.as_ref(), "-o".as_ref(), unfinished.as_os_str(), ".".as_ref()])
        .current_dir(&sources)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    progress(Progress::Begins { go: child.id() });
    let mut last_lines = VecDeque::with_capacity(LAST_LINES);
    for line in child.stderr.take().into_iter().flat_map(|output| BufReader::new(output).lines()) {
        let line = line.map_err(failed)?;
        progress(Progress::Line(&line));
        if last_lines.len() == LAST_LINES {
            last_lines.pop_front();
        }
        last_lines.push_back(line);
    }
    let status = child.wait().map_err(failed)?;
    if !status.success() {
        return Err(BuildError::Go { dir: dir.to_owned(), status, last_lines });
    }
    fs::rename(unfinished, program).map_err(failed)
}

/// Holds the lock until it is dropped.
fn lock(path: &Path, progress: &mut impl FnMut(Progress<'_>)) -> io::Result<File> {
    let file = File::create(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            progress(Progress::Waits);
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(file)
}

/// Names what is built, so that other sources are built elsewhere.
fn fingerprint() -> String {
    let mut hasher = DefaultHasher::new();
    (SOURCES, LINKER_FLAGS).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn lines(lines: &VecDeque<String>) -> String {
    lines.iter().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_module_is_in_the_crate() {
        let mut files = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("go"), "");
        files.sort();
        assert_eq!(files, SOURCES.map(|(name, _)| name));
    }

    /// The names of all files in a folder and in those inside it, behind `prefix`.
    fn files_below(dir: &Path, prefix: &str) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
        let below = |entry: fs::DirEntry| {
            let name = format!("{prefix}{}", entry.file_name().into_string().unwrap());
            if entry.path().is_dir() {
                files_below(&entry.path(), &format!("{name}/"))
            } else {
                vec![name]
            }
        };
        entries.flat_map(below).collect()
    }
}
