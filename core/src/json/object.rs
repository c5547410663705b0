//! The macro that declares a JSON object: named fields, and the others kept or passed over.

/// Declares a struct for a JSON object of a wire format, and its deserializer.
///
/// Each line `"wire_name" => field: Type` becomes `field: Option<Type>`, `None` where the field is absent or null;
/// `"name" | "other_name" =>` takes a field of two names, of which a document may use one.
/// `..others` collects every other field, in order, with its value untouched; `..` passes them over. A declared field
/// that is there twice is an error: two readers of one document could otherwise each believe another one.
///
/// serde's own derive could keep the others only with `flatten`, which copies every value on its way.
macro_rules! object {
    (
        $(#[$meta:meta])*
        $visibility:vis struct $name:ident<'a> {
            $( $(#[$field_meta:meta])* $wire:literal $(| $alias:literal)? => $field:ident : $type:ty, )*
            .. $($others:ident)?
        }
    ) => {
        $(#[$meta])*
        $visibility struct $name<'a> {
            $( $(#[$field_meta])* pub(crate) $field: Option<$type>, )*
            $(
                /// Fields that are not declared, in the order in which they stand.
                pub(crate) $others: Vec<($crate::json::Text<'a>, $crate::json::Raw<'a>)>,
            )?
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct ObjectVisitor<'a>(std::marker::PhantomData<&'a ()>);

                impl<'de: 'a, 'a> serde::de::Visitor<'de> for ObjectVisitor<'a> {
                    type Value = $name<'a>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name<'a>, A::Error> {
                        $( let mut $field: Option<Option<$type>> = None; )*
                        $( let mut $others = Vec::new(); )?
                        while let Some(key) = map.next_key::<$crate::json::Text<'a>>()? {
                            match &*key {
                                $( $wire $(| $alias)? => {
                                    if $field.is_some() {
                                        return Err(<A::Error as serde::de::Error>::duplicate_field($wire));
                                    }
                                    $field = Some(map.next_value()?);
                                } )*
                                _ => {
                                    let value = map.next_value::<$crate::json::Raw<'a>>()?;
                                    let _ = (&key, &value);
                                    $( $others.push((key, value)); )?
                                }
                            }
                        }
                        Ok($name { $( $field: $field.flatten(), )* $( $others, )? })
                    }
                }

                deserializer.deserialize_map(ObjectVisitor(std::marker::PhantomData))
            }
        }
    };
}

pub(crate) use object;
