"""A database's catalogue as a value, for comparison: objects, definitions, owners, rights."""

from __future__ import annotations

from sync_daemon.config import Settings
from tests.databases import as_admin

Catalogue = dict[str, set[tuple[object, ...]]]

_OURS = "nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema'"

_RELATION_DEFAULT = """acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)"""


def _acl(column: str, default: str) -> str:
    return f"""(SELECT string_agg(entry, ',' ORDER BY entry) FROM (
        SELECT CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(acl.grantee) END || ':' ||
               acl.privilege_type || ':' || acl.is_grantable AS entry
          FROM aclexplode(COALESCE({column}, {default})) AS acl) AS entries)"""


QUERIES = {
    "database": f"""SELECT pg_get_userbyid(datdba), {_acl("datacl", "acldefault('d', datdba)")}
        FROM pg_database WHERE datname = current_database()""",
    "settings of roles": """SELECT pg_get_userbyid(setrole), setconfig::text FROM pg_db_role_setting
        JOIN pg_database ON pg_database.oid = setdatabase WHERE datname = current_database()""",
    "schemas": f"""SELECT nspname, pg_get_userbyid(nspowner), {_acl("nspacl", "acldefault('n', nspowner)")}
        FROM pg_namespace WHERE {_OURS}""",
    "relations": f"""SELECT nspname, relname, relkind, pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity,
            reloptions::text, pg_get_partkeydef(pg_class.oid), pg_get_expr(relpartbound, pg_class.oid),
            {_acl("relacl", _RELATION_DEFAULT)}
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE {_OURS}""",
    "columns": f"""SELECT nspname, relname, attnum, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
            attgenerated, attstorage, attcollation::regcollation::text, pg_get_expr(adbin, adrelid),
            {_acl("attacl", "acldefault('c', relowner)")}
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE {_OURS} AND attnum > 0 AND NOT attisdropped""",
    "sequences": f"""SELECT nspname, relname, seqtypid::regtype::text, seqstart, seqincrement, seqcache, seqcycle
        FROM pg_sequence JOIN pg_class ON pg_class.oid = seqrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE {_OURS}""",
    "comments": f"""SELECT nspname, relname, attname, description FROM pg_description
        JOIN pg_class ON pg_class.oid = objoid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid AND attnum > 0
        WHERE {_OURS} AND pg_description.classoid = 'pg_class'::regclass""",
    "constraints": f"""SELECT nspname, conrelid::regclass::text, conname, pg_get_constraintdef(pg_constraint.oid)
        FROM pg_constraint JOIN pg_namespace ON pg_namespace.oid = connamespace WHERE {_OURS}""",
    "indexes": f"""SELECT nspname, pg_get_indexdef(indexrelid) FROM pg_index
        JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE {_OURS}""",
    "triggers": f"""SELECT nspname, relname, pg_get_triggerdef(pg_trigger.oid), tgenabled FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE {_OURS} AND NOT tgisinternal""",
    "policies": f"""SELECT nspname, relname, polname, polcmd, polpermissive,
            ARRAY(SELECT CASE WHEN role = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(role) END FROM unnest(polroles) AS role)
                ::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid)
        FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE {_OURS}""",
    "functions": f"""SELECT nspname, pg_get_functiondef(pg_proc.oid), pg_get_userbyid(proowner),
            {_acl("proacl", "acldefault('f', proowner)")}
        FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE {_OURS} AND prokind = 'f' AND probin IS NULL""",
    "views": f"""SELECT nspname, relname, pg_get_viewdef(pg_class.oid) FROM pg_class
        JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE {_OURS} AND relkind = 'v'""",
    "default rights": "SELECT pg_get_userbyid(defaclrole), defaclobjtype, defaclacl::text FROM pg_default_acl",
    "extensions": "SELECT extname, extversion FROM pg_extension",
}


def catalogue(settings: Settings) -> Catalogue:
    """Everything in the app's database that is not PostgreSQL's own, by kind."""
    connection = as_admin(settings)
    try:
        with connection.cursor() as cursor:
            found = {}
            for kind, query in QUERIES.items():
                cursor.execute(query)
                found[kind] = set(cursor.fetchall())
    finally:
        connection.close()
    return found


def difference(left: Catalogue, right: Catalogue) -> list[str]:
    """What only one of two catalogues has, one line each; empty when they are equal."""
    lines = []
    for kind in left:
        lines += [f"- {kind}: {item}" for item in sorted(left[kind] - right[kind], key=str)]
        lines += [f"+ {kind}: {item}" for item in sorted(right[kind] - left[kind], key=str)]
    return lines
