//! The control plane's keys and certificates, made anew for each.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
};

use crate::{flags::FIRST_SERVICE_ADDRESS, plane::StartError};

/// The name by which the aggregator identifies itself to API servers behind it.
pub(crate) const PROXY_NAME: &str = "front-proxy-client";

/// The authority of the cluster, and the folder where everything was written.
pub(crate) struct Pki {
    dir: PathBuf,
    cluster: Authority,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

type Authority = CertifiedIssuer<'static, KeyPair>;

impl Pki {
    /// Makes and writes everything that the parts need.
    pub(crate) fn create(dir: &Path) -> Result<Self, StartError> {
        let pki = Self { dir: dir.to_owned(), cluster: authority("kubernetes")? };
        fs::create_dir(dir).map_err(StartError::writes(dir))?;
        pki.write("ca.crt", &pki.cluster.pem())?;

        let names = ["127.0.0.1", "localhost", "kubernetes.default.svc", FIRST_SERVICE_ADDRESS];
        let mut params = CertificateParams::new(names.map(str::to_owned))?;
        params.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        pki.pair("apiserver", &params, &pki.cluster)?;

        // An authority of its own, so that no user of the cluster can pass for the aggregator.
        let front_proxy = authority("front-proxy")?;
        pki.write("front-proxy-ca.crt", &front_proxy.pem())?;
        pki.pair("front-proxy-client", &client(PROXY_NAME, None)?, &front_proxy)?;

        let key = KeyPair::generate()?;
        pki.write("service-accounts.key", &key.serialize_pem())?;
        pki.write("service-accounts.pub", &key.public_key_pem())?;
        Ok(pki)
    }

    /// Makes a certificate that proves a user.
    pub(crate) fn user(&self, name: &str, group: Option<&str>) -> Result<Pair, StartError> {
        // Names of users hold colons and slashes.
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let file: String = name.chars().map(plain).collect();
        self.pair(&format!("user-{file}"), &client(name, group)?, &self.cluster)
    }

    /// The path of a file that was written.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn pair(
        &self,
        name: &str,
        params: &CertificateParams,
        issuer: &Authority,
    ) -> Result<Pair, StartError> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, issuer)?;
        Ok(Pair {
            certificate: self.write(&format!("{name}.crt"), &certificate.pem())?,
            key: self.write(&format!("{name}.key"), &key.serialize_pem())?,
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf, StartError> {
        let path = self.file(name);
        fs::write(&path, text).map_err(StartError::writes(&path))?;
        Ok(path)
    }
}

impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pki").field("dir", &self.dir).finish_non_exhaustive()
    }
}

fn authority(name: &str) -> Result<Authority, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

/// Kubernetes takes the common name for the user's and the organization for a group's.
fn client(name: &str, group: Option<&str>) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
