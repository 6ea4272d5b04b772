//! Typed views of canonical resources: names and types for code that knows what a User or a Group is.
//!
//! A view borrows the members of a [`Document`](crate::document::Document) or of a whole resource and looks a value up
//! when it is asked for. It refuses to check or to change anything: what is not there, or is not of the expected type,
//! is `None`.

use serde_json::{Map, Value};

use crate::schema::ENTERPRISE_USER;

/// A User (RFC 7643 §4.1).
#[derive(Debug, Clone, Copy)]
pub struct User<'a>(&'a Map<String, Value>);

/// The parts of a user's name.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a>(Option<&'a Map<String, Value>>);

/// What the enterprise extension says of a user (RFC 7643 §4.3).
#[derive(Debug, Clone, Copy)]
pub struct EnterpriseUser<'a>(Option<&'a Map<String, Value>>);

/// A Group (RFC 7643 §4.2). Its members are not in its document.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a>(&'a Map<String, Value>);

/// One element of a multi-valued attribute with the sub-attributes of RFC 7643 §2.4, such as an e-mail address.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a>(&'a Map<String, Value>);

/// One postal address.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a>(&'a Map<String, Value>);

/// Accessors of single-valued texts.
macro_rules! texts {
    ($view:ident { $($(#[$doc:meta])+ $method:ident = $name:literal;)+ }) => {
        impl<'a> $view<'a> {
            $($(#[$doc])+
            pub fn $method(self) -> Option<&'a str> {
                self.member($name)?.as_str()
            })+
        }
    };
}

/// Accessors of multi-valued attributes.
macro_rules! lists {
    ($view:ident { $($(#[$doc:meta])+ $method:ident = $name:literal as $element:ident;)+ }) => {
        impl<'a> $view<'a> {
            $($(#[$doc])+
            pub fn $method(self) -> impl Iterator<Item = $element<'a>> + use<'a> {
                let elements = self.member($name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                elements.iter().filter_map(Value::as_object).map($element)
            })+
        }
    };
}

impl<'a> User<'a> {
    /// The view of a canonical resource.
    pub fn new(resource: &'a Map<String, Value>) -> Self {
        Self(resource)
    }

    /// Whether the account may be used, where the client has said so.
    pub fn active(self) -> Option<bool> {
        self.member("active")?.as_bool()
    }

    /// The parts of the person's name.
    pub fn name(self) -> Name<'a> {
        Name(self.member("name").and_then(Value::as_object))
    }

    /// The e-mail address to write to: the primary one, or the first where none is. One without a value is no address.
    pub fn primary_email(self) -> Option<&'a str> {
        let primary = self.emails().filter(|email| email.is_primary()).find_map(Element::value);
        primary.or_else(|| self.emails().find_map(Element::value))
    }

    /// What the enterprise extension says.
    pub fn enterprise(self) -> EnterpriseUser<'a> {
        EnterpriseUser(self.member(ENTERPRISE_USER).and_then(Value::as_object))
    }

    fn member(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }
}

texts!(User {
    /// Name that the person signs in with.
    user_name = "userName";
    /// Identifier at the client.
    external_id = "externalId";
    /// Name to show.
    display_name = "displayName";
    /// Casual name.
    nick_name = "nickName";
    /// Address of the profile page.
    profile_url = "profileUrl";
    /// Job title.
    title = "title";
    /// Relation to the organisation.
    user_type = "userType";
    /// Preferred language, as in an Accept-Language header.
    preferred_language = "preferredLanguage";
    /// Language tag for dates, numbers and currency.
    locale = "locale";
    /// IANA time zone.
    timezone = "timezone";
});
lists!(User {
    /// E-mail addresses.
    emails = "emails" as Element;
    /// Telephone numbers.
    phone_numbers = "phoneNumbers" as Element;
    /// Instant messaging addresses.
    ims = "ims" as Element;
    /// Pictures.
    photos = "photos" as Element;
    /// Postal addresses.
    addresses = "addresses" as Address;
    /// What the user is entitled to.
    entitlements = "entitlements" as Element;
    /// Roles.
    roles = "roles" as Element;
    /// Certificates, as base64.
    x509_certificates = "x509Certificates" as Element;
});

impl<'a> Name<'a> {
    fn member(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }
}

texts!(Name {
    /// The full name as it is shown.
    formatted = "formatted";
    /// Family name.
    family_name = "familyName";
    /// Given name.
    given_name = "givenName";
    /// Middle names.
    middle_name = "middleName";
    /// Title before the name.
    honorific_prefix = "honorificPrefix";
    /// Suffix after the name.
    honorific_suffix = "honorificSuffix";
});

impl<'a> EnterpriseUser<'a> {
    /// Identifier of the manager, as the client sent it: no such user need exist.
    pub fn manager(self) -> Option<&'a str> {
        self.member("manager")?.get("value")?.as_str()
    }

    fn member(self, name: &str) -> Option<&'a Value> {
        self.0?.get(name)
    }
}

texts!(EnterpriseUser {
    /// Number given by the organisation.
    employee_number = "employeeNumber";
    /// Cost centre.
    cost_center = "costCenter";
    /// Organisation.
    organization = "organization";
    /// Division.
    division = "division";
    /// Department.
    department = "department";
});

impl<'a> Group<'a> {
    /// The view of a canonical resource.
    pub fn new(resource: &'a Map<String, Value>) -> Self {
        Self(resource)
    }

    fn member(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }
}

texts!(Group {
    /// Name to show.
    display_name = "displayName";
    /// Identifier at the client.
    external_id = "externalId";
});

impl<'a> Element<'a> {
    /// Whether this is the preferred element of its list.
    pub fn is_primary(self) -> bool {
        self.member("primary").and_then(Value::as_bool).unwrap_or(false)
    }

    fn member(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }
}

texts!(Element {
    /// The value.
    value = "value";
    /// Text to show for it.
    display = "display";
    /// What it is for (`type`).
    label = "type";
});

impl<'a> Address<'a> {
    /// Whether this is the preferred address.
    pub fn is_primary(self) -> bool {
        Element(self.0).is_primary()
    }

    fn member(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }
}

texts!(Address {
    /// The whole address as on a label.
    formatted = "formatted";
    /// Street, house number and the like.
    street_address = "streetAddress";
    /// Town.
    locality = "locality";
    /// State, province or county.
    region = "region";
    /// Postal code.
    postal_code = "postalCode";
    /// Country.
    country = "country";
    /// What the address is for (`type`).
    label = "type";
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::resource;
    use crate::schema::{GROUP, Registry, USER};
    use serde_json::json;

    fn decoded(endpoint: &str, body: Value) -> Map<String, Value> {
        let registry = Registry::builtin().expect("built in");
        resource(&body, registry.endpoint(endpoint).expect(endpoint)).expect("decodes").document.into_map()
    }

    #[test]
    fn a_user_is_seen_whole() {
        let map = decoded(
            "Users",
            json!({
                "schemas": [USER, ENTERPRISE_USER], "userName": "ada", "externalId": "X", "displayName": "Ada L",
                "active": false, "name": {"givenName": "Ada", "familyName": "L", "honorificPrefix": "Dr."},
                "emails": [{"value": "h@x", "type": "home"}, {"value": "w@x", "type": "work", "primary": true}],
                "addresses": [{"locality": "London", "type": "work", "primary": true}],
                ENTERPRISE_USER: {"department": "R", "manager": {"value": "7"}},
            }),
        );
        let user = User::new(&map);
        assert_eq!((user.user_name(), user.external_id(), user.title()), (Some("ada"), Some("X"), None));
        assert_eq!((user.active(), user.display_name()), (Some(false), Some("Ada L")));
        let name = user.name();
        assert_eq!((name.given_name(), name.family_name()), (Some("Ada"), Some("L")));
        assert_eq!((name.honorific_prefix(), name.formatted()), (Some("Dr."), None));
        let labels: Vec<_> =
            user.emails().map(|email| (email.value(), email.label(), email.is_primary())).collect();
        assert_eq!(labels, [(Some("h@x"), Some("home"), false), (Some("w@x"), Some("work"), true)]);
        assert_eq!(user.primary_email(), Some("w@x"));
        let enterprise = user.enterprise();
        assert_eq!((enterprise.department(), enterprise.manager()), (Some("R"), Some("7")));
        let address = user.addresses().next().expect("an address");
        assert_eq!((address.locality(), address.is_primary()), (Some("London"), true));
    }

    #[test]
    fn the_address_to_write_to_is_the_primary_or_the_first() {
        for (emails, expected) in [
            (json!([]), None),
            (json!([{"type": "work"}]), None),
            (json!([{"value": "a"}, {"value": "b"}]), Some("a")),
            (json!([{"value": "a"}, {"value": "b", "primary": true}]), Some("b")),
            (json!([{"type": "work", "primary": true}, {"value": "b"}]), Some("b")),
        ] {
            let map = decoded("Users", json!({"schemas": [USER], "userName": "ada", "emails": emails}));
            assert_eq!(User::new(&map).primary_email(), expected, "{emails}");
        }
    }

    #[test]
    fn what_is_not_there_is_none() {
        let map = Map::new();
        let user = User::new(&map);
        assert_eq!((user.user_name(), user.active(), user.name().formatted()), (None, None, None));
        assert_eq!((user.enterprise().manager(), user.roles().count()), (None, 0));
        let map = decoded("Groups", json!({"schemas": [GROUP], "displayName": "G", "externalId": "E"}));
        assert_eq!((Group::new(&map).display_name(), Group::new(&map).external_id()), (Some("G"), Some("E")));
    }
}
