//! What a fleet's things are called on a NATS server.

use std::fmt;

use aiobpy_wire::JobId;

/// The names of one fleet's stream, subjects and bucket; several fleets can share the servers.
#[derive(Clone, Debug)]
pub(super) struct Names {
    fleet: String,
}

/// A name that cannot be part of a subject.
#[derive(Debug)]
pub(super) struct BadName;

impl Names {
    pub(super) fn of(fleet: &str) -> Result<Self, BadName> {
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_".contains(letter);
        if fleet.is_empty() || fleet.len() > 64 || !fleet.chars().all(is_plain) {
            return Err(BadName);
        }
        Ok(Self { fleet: fleet.to_owned() })
    }

    /// The stream of all that happens to jobs.
    pub(super) fn stream(&self) -> String {
        self.under("jobs", '_')
    }

    /// The bucket of artefacts.
    pub(super) fn bucket(&self) -> String {
        self.under("artefacts", '_')
    }

    /// All that the stream keeps.
    pub(super) fn kept(&self) -> Vec<String> {
        vec![self.jobs(), self.tell(), self.under("key.*", '.')]
    }

    /// What is told: all of it but the names of requests.
    pub(super) fn told(&self) -> Vec<String> {
        vec![self.jobs(), self.tell()]
    }

    pub(super) fn jobs(&self) -> String {
        self.under("job.*", '.')
    }

    pub(super) fn job(&self, id: JobId) -> String {
        self.under(format_args!("job.{id}"), '.')
    }

    /// What a client calls its request may have any letters.
    pub(super) fn key(&self, key: &str) -> String {
        self.under(format_args!("key.{}", blake3::hash(key.as_bytes()).to_hex()), '.')
    }

    /// Events that are of no job.
    pub(super) fn tell(&self) -> String {
        self.under("tell", '.')
    }

    /// Where nodes say that they are there. Kept nowhere.
    pub(super) fn nodes(&self) -> String {
        self.under("nodes", '.')
    }

    /// Where a node that has just come asks who is there.
    pub(super) fn who(&self) -> String {
        self.under("who", '.')
    }

    /// Where nodes tell of newer pictures. Kept nowhere.
    pub(super) fn pictured(&self) -> String {
        self.under("pictured", '.')
    }

    /// Where a node is asked for pictures; its name may have any letters.
    pub(super) fn look(&self, node: &str) -> String {
        self.under(format_args!("look.{}", blake3::hash(node.as_bytes()).to_hex()), '.')
    }

    fn under(&self, name: impl fmt::Display, between: char) -> String {
        format!("{}{between}{name}", self.fleet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_s_name_cannot_reach_into_another_fleet() {
        for bad in ["", "a.b", "a*", ">", "a b", &"a".repeat(65)] {
            assert!(Names::of(bad).is_err(), "{bad:?}");
        }
        let names = Names::of("studio-1").unwrap();
        assert_eq!(
            (names.stream().as_str(), names.jobs().as_str()),
            ("studio-1_jobs", "studio-1.job.*")
        );
    }
}
