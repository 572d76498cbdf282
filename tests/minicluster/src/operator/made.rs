//! The objects that a MiniCluster becomes.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        batch::v1::{Job, JobSpec},
        core::v1::{
            ConfigMapVolumeSource, Container, EnvVar, KeyToPath, PodSpec, PodTemplateSpec, Service,
            ServiceSpec, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use kube::{Resource as _, ResourceExt as _, core::ObjectMeta};

use crate::resource::{self, MiniCluster};

/// The label of the pods of a MiniCluster; its value is the name.
pub const SELECTOR: &str = "hpa-selector";

/// The label and annotation by which the Job controller numbers pods.
pub const COMPLETION_INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Which pods are a MiniCluster's.
pub(super) fn selector(minicluster: &MiniCluster) -> String {
    format!("{SELECTOR}={}", minicluster.name_any())
}

/// The Service that gives pods their names in DNS.
pub(super) fn service(minicluster: &MiniCluster) -> Service {
    let name = minicluster.name_any();
    Service {
        metadata: metadata(minicluster, BTreeMap::new()),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            selector: Some([("job-name".to_owned(), name)].into()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// The Job whose pods are the brokers.
pub(super) fn job(minicluster: &MiniCluster) -> Job {
    let (name, spec) = (minicluster.name_any(), &minicluster.spec);
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta { labels: Some(labels(minicluster)), ..ObjectMeta::default() }),
        spec: Some(PodSpec {
            containers: spec.containers.iter().map(|own| container(&name, own)).collect(),
            volumes: Some(volumes(minicluster)),
            subdomain: Some(name),
            restart_policy: Some("OnFailure".to_owned()),
            service_account_name: spec.pod.service_account_name.clone(),
            automount_service_account_token: Some(spec.pod.automount_service_account_token),
            ..PodSpec::default()
        }),
    };
    Job {
        metadata: metadata(minicluster, labels(minicluster)),
        spec: Some(JobSpec {
            completion_mode: Some("Indexed".to_owned()),
            completions: Some(spec.size),
            parallelism: Some(spec.size),
            backoff_limit: Some(100),
            template,
            ..JobSpec::default()
        }),
        status: None,
    }
}

fn metadata(minicluster: &MiniCluster, labels: BTreeMap<String, String>) -> ObjectMeta {
    let kind = resource::kind();
    ObjectMeta {
        name: minicluster.meta().name.clone(),
        namespace: minicluster.namespace(),
        labels: Some(labels),
        owner_references: Some(vec![OwnerReference {
            api_version: kind.api_version,
            kind: kind.kind,
            name: minicluster.name_any(),
            uid: minicluster.uid().unwrap_or_default(),
            controller: Some(true),
            block_owner_deletion: Some(true),
        }]),
        ..ObjectMeta::default()
    }
}

fn labels(minicluster: &MiniCluster) -> BTreeMap<String, String> {
    let name = minicluster.name_any();
    let namespace = minicluster.namespace().unwrap_or_default();
    let own = [
        ("app", "flux-operator"),
        ("app.kubernetes.io/name", &name),
        (SELECTOR, &name),
        ("namespace", &namespace),
    ];
    let own = own.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    own.chain(minicluster.spec.pod.labels.clone()).collect()
}

fn container(minicluster: &str, container: &resource::Container) -> Container {
    let variable = |(name, value): (&String, &String)| EnvVar {
        name: name.clone(),
        value: Some(value.clone()),
        value_from: None,
    };
    let mount = |(name, volume): (&String, &resource::Volume)| VolumeMount {
        name: name.clone(),
        mount_path: volume.path.clone(),
        ..VolumeMount::default()
    };
    let name = container.name.as_deref().filter(|_| !container.run_flux);
    Container {
        name: name.unwrap_or(minicluster).to_owned(),
        image: Some(container.image.clone()),
        env: Some(container.environment.iter().map(variable).collect()),
        volume_mounts: Some(container.volumes.iter().map(mount).collect()),
        resources: container.resources.clone(),
        ..Container::default()
    }
}

fn volumes(minicluster: &MiniCluster) -> Vec<Volume> {
    let item = |(key, path): (&String, &String)| KeyToPath {
        key: key.clone(),
        path: path.clone(),
        mode: None,
    };
    let volume = |(name, volume): (&String, &resource::Volume)| Volume {
        name: name.clone(),
        config_map: Some(ConfigMapVolumeSource {
            name: volume.config_map_name.clone(),
            items: Some(volume.items.iter().map(item).collect()),
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    };
    let all = minicluster.spec.containers.iter().flat_map(|container| &container.volumes);
    all.map(volume).collect()
}

#[cfg(test)]
mod tests;
