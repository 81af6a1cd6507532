//! What is built of the guest, and what each may weigh and import.

/// What every host of wasi:http 0.2 has. Any 0.2.x will do: they are compatible.
const EVERYWHERE: &[&str] = &[
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/streams",
    "wasi:io/poll",
    "wasi:clocks/wall-clock",
    "wasi:clocks/monotonic-clock",
    "wasi:random/random",
];

pub(crate) struct Artifact {
    /// The file's name without `.wasm`.
    pub(crate) name: &'static str,
    /// The package in auth-component/artifacts that is compiled for it.
    pub(crate) package: &'static str,
    pub(crate) bytes_max: usize,
    /// A fresh instance pays for each page it starts with, and an instance that never grows its memory is reset without
    /// `mprotect`: so the memory is what an ordinary request needs.
    memory: Memory,
    /// By shadow-proxy, whose engine has wide arithmetic.
    pub(crate) is_embedded: bool,
    /// Interfaces besides those that every host has.
    grants: &'static [&'static str],
}

struct Memory {
    stack_bytes: u32,
    initial_bytes: u32,
}

/// Digests and comparisons.
const KEYS: Memory = Memory { stack_bytes: 32 << 10, initial_bytes: 128 << 10 };
/// Public keys of up to 8192 bits and the tables of three curves.
const TOKENS: Memory = Memory { stack_bytes: 64 << 10, initial_bytes: 640 << 10 };

const STORE: &[&str] = &["wasi:keyvalue/store"];
const STORE_AND_OUTBOUND: &[&str] = &["wasi:keyvalue/store", "wasi:http/outgoing-handler"];

pub(crate) const ARTIFACTS: [Artifact; 4] = [
    Artifact {
        name: "auth-component-keys",
        package: "artifact-keys",
        bytes_max: 150_000,
        memory: KEYS,
        is_embedded: false,
        grants: &[],
    },
    Artifact {
        name: "auth-component",
        package: "artifact-tokens",
        bytes_max: 600_000,
        memory: TOKENS,
        is_embedded: true,
        grants: &[],
    },
    Artifact {
        name: "auth-component-store",
        package: "artifact-store",
        bytes_max: 600_000,
        memory: TOKENS,
        is_embedded: true,
        grants: STORE,
    },
    Artifact {
        name: "auth-component-introspection",
        package: "artifact-introspection",
        bytes_max: 600_000,
        memory: TOKENS,
        is_embedded: true,
        grants: STORE_AND_OUTBOUND,
    },
];

/// The engines that an artifact is compiled for.
#[derive(Clone, Copy)]
pub(crate) enum Engine {
    /// Every host's.
    Any,
    /// An engine with 128-bit multiplication (the wide-arithmetic proposal), as shadow-proxy's is: RSA takes a quarter of
    /// the time.
    Wide,
}

impl Engine {
    /// For rustc, of all packages.
    pub(crate) fn target_features(self) -> &'static str {
        match self {
            Engine::Any => "-Ctarget-feature=+bulk-memory,+simd128",
            Engine::Wide => "-Ctarget-feature=+bulk-memory,+simd128,+wide-arithmetic",
        }
    }
}

impl Artifact {
    /// For rustc, of the artifact's own package alone: its dependencies are shared.
    pub(crate) fn link_flags(&self) -> [String; 3] {
        let Memory { stack_bytes, initial_bytes } = self.memory;
        [
            format!("-Clink-arg=-zstack-size={stack_bytes}"),
            format!("-Clink-arg=--initial-memory={initial_bytes}"),
            // The profile's own `strip` is lost on a package that has settings of its own.
            "-Cstrip=symbols".to_owned(),
        ]
    }

    pub(crate) fn has_store(&self) -> bool {
        self.grants.iter().any(|interface| STORE.contains(interface))
    }

    pub(crate) fn may_import(&self, import: &str) -> bool {
        let Some((interface, version)) = import.split_once('@') else { return false };
        version.starts_with("0.2.") && (EVERYWHERE.contains(&interface) || self.grants.contains(&interface))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_interfaces_of_wasi_0_2_may_be_imported() {
        let [keys, ..] = &ARTIFACTS;
        for good in ["wasi:http/types@0.2.4", "wasi:io/poll@0.2.0", "wasi:clocks/wall-clock@0.2.10"] {
            assert!(keys.may_import(good), "{good}");
        }
        let bad = [
            "wasi:http/types@0.3.0",
            "wasi:http/types",
            "wasi:http/outgoing-handler@0.2.4",
            "wasi:keyvalue/store@0.2.0-draft",
            "wasi:filesystem/types@0.2.4",
            "wasi:cli/environment@0.2.4",
        ];
        for bad in bad {
            assert!(!keys.may_import(bad), "{bad}");
        }
    }
}
