//! How an enum of words is made: one word for each variant of a type of the domain.

/// An enum of words, which Display writes as JSON does, and the ways to and from a type of the domain.
///
/// Both ways name every variant, so that what is added to one side does not compile before the other has it.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident as $domain:ty { $($(#[$word:meta])* $variant:ident,)* }) => {
        #[derive(
            Debug,
            Clone,
            Copy,
            PartialEq,
            Eq,
            Hash,
            serde::Serialize,
            serde::Deserialize,
            schemars::JsonSchema,
        )]
        $(#[$meta])*
        pub enum $name {
            $($(#[$word])* $variant,)*
        }

        impl $name {
            /// Every word.
            pub const ALL: &'static [$name] = &[$($name::$variant),*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                serde::Serialize::serialize(self, f)
            }
        }

        impl From<$domain> for $name {
            fn from(word: $domain) -> Self {
                type Domain = $domain;
                match word {
                    $(Domain::$variant => $name::$variant,)*
                }
            }
        }

        impl From<$name> for $domain {
            fn from(word: $name) -> Self {
                type Domain = $domain;
                match word {
                    $($name::$variant => Domain::$variant,)*
                }
            }
        }
    };
}

pub(crate) use words;
