// SCIMMY with its routers on express: users and groups in two maps, filters matched by SCIMMY itself.
import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

/** What a resource type keeps, by identifier, and which name is taken by whom. */
const keep = (type, key) => {
    const kept = new Map();
    const names = new Map();
    const release = (id) => kept.has(id) && names.delete(String(kept.get(id)[key]).toLowerCase());

    SCIMMY.Resources.declare(type)
        .ingress((resource, instance) => {
            const id = resource.id ?? randomUUID();
            const name = String(instance[key]).toLowerCase();
            if (resource.id && !kept.has(id)) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
            if (names.has(name) && names.get(name) !== id)
                throw new SCIMMY.Types.Error(409, "uniqueness", `'${key}' is taken`);
            release(id);
            names.set(name, id);
            const value = { ...JSON.parse(JSON.stringify(instance)), id };
            kept.set(id, value);
            return value;
        })
        .egress((resource) => {
            if (resource.id) {
                if (!kept.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
                return kept.get(resource.id);
            }
            const all = [...kept.values()];
            return resource.filter ? resource.filter.match(all) : all;
        })
        .degress((resource) => {
            if (!kept.has(resource.id)) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
            release(resource.id);
            kept.delete(resource.id);
        });
};

keep(SCIMMY.Resources.User, "userName");
keep(SCIMMY.Resources.Group, "displayName");

express()
    .use("/scim/v2", new SCIMMYRouters({
        type: "bearer",
        handler: (request) => {
            if (request.header("Authorization") !== "Bearer peer") throw new Error("Authorization not detected!");
            return "peer";
        },
    }))
    .listen(Number(process.argv[2]), "127.0.0.1");
