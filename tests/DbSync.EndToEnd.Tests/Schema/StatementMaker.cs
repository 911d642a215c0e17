namespace DbSync.EndToEnd.Tests.Schema;

/// <summary>Makes valid statements of each kind for a model, and changes the model as they change the database.</summary>
internal sealed class StatementMaker(Random random, string schema)
{
    public const string Expression = "(id * 2 + 1)";

    private static readonly ValueKind[] Plain =
        [ValueKind.Int, ValueKind.BigInt, ValueKind.Text, ValueKind.VarChar, ValueKind.Numeric, ValueKind.Real, ValueKind.Flag, ValueKind.Time, ValueKind.Mood, ValueKind.Domain, ValueKind.Bytes];

    /// <summary>Statements of a kind; null when the model has nothing that they could be about.</summary>
    public string? Make(StepKind kind, ProgramModel model) => kind switch
    {
        StepKind.CreateTable => model.Tables.Count < 5 ? Create(model) : null,
        StepKind.CreateTableAs => Table(model, t => !t.IsPartitioned) is { } t && model.Tables.Count < 6 ? CreateAs(t, model) : null,
        StepKind.DropTable => model.Tables.Count > 2 && Table(model) is { } t ? Drop(t, model) : null,
        StepKind.DropAndCreate => Table(model, t => !t.IsPartitioned) is { } t ? DropAndCreate(t, model) : null,
        StepKind.Publication => Table(model) is { } t ? Publication(t) : null,
        StepKind.AddLabel => AddLabel(model),
        StepKind.RenameLabel => RenameLabel(model),
        StepKind.Domain => $"ALTER DOMAIN {schema}.small ADD CONSTRAINT {model.NewName("k")} CHECK (VALUE > -1000000)",
        StepKind.CreatePartition or StepKind.Attach or StepKind.Detach => Table(model, t => t.IsPartitioned) is { } t ? Partition(kind, t, model) : null,
        StepKind.Rows => Table(model) is { } t ? Rows(t, model) : null,
        _ => Table(model) is { } t ? OnTable(kind, t, model) : null,
    };

    /// <summary>A change of one table that no other one is touched by.</summary>
    public string OnTable(ModelTable table, ProgramModel model)
    {
        while (true)
        {
            var kind = (StepKind)random.Next((int)StepKind.RenameTable, (int)StepKind.AddLabel);
            if (OnTable(kind, table, model) is { } sql) return sql;
        }
    }

    private string? OnTable(StepKind kind, ModelTable table, ProgramModel model)
    {
        var alter = $"ALTER TABLE {table.Full}";
        switch (kind)
        {
            case StepKind.RenameTable:
                var (was, now) = (table.Full, model.NewName("t"));
                table.Name = now;
                return $"ALTER TABLE {was} RENAME TO {now}";
            case StepKind.MoveTable:
                var from = table.Full;
                table.Schema = table.Schema == schema ? $"{schema}x" : schema;
                return $"ALTER TABLE {from} SET SCHEMA {table.Schema}";
            case StepKind.AddColumn:
                return $"{alter} ADD COLUMN {Add(table, model)}";
            case StepKind.AddConstant:
                var constant = AnyKind();
                return $"{alter} ADD COLUMN {Add(table, model, constant)} DEFAULT {Constant(constant, model)}{(random.Next(2) == 0 && constant != ValueKind.Mood ? " NOT NULL" : "")}";
            case StepKind.AddVolatile:
                return random.Next(2) == 0
                    ? $"{alter} ADD COLUMN {Add(table, model, ValueKind.Real)} DEFAULT random()"
                    : $"{alter} ADD COLUMN {Add(table, model, ValueKind.Time)} DEFAULT clock_timestamp()";
            case StepKind.DropColumn:
                if (Column(table) is not { } dropped) return null;
                if (dropped.Kind != ValueKind.Computed && table.Columns.Exists(c => c.Kind == ValueKind.Computed)) return null; // it may be what is computed from
                table.Columns.Remove(dropped);
                table.Indexes.RemoveAll(i => i.Contains($" {dropped.Name} ", StringComparison.Ordinal));
                return $"{alter} DROP COLUMN {dropped.Name}";
            case StepKind.RenameColumn:
                if (Column(table) is not { } renamed) return null;
                return $"{alter} RENAME COLUMN {renamed.Name} TO {Rename(table, renamed, model.NewName("r"))}";
            case StepKind.SwapColumns:
                if (table.Columns.Count < 2) return null;
                var (left, right) = (table.Columns[0], table.Columns[^1]);
                Rename(table, left, right.Name, right);
                return $"{alter} RENAME COLUMN {left.Name} TO passing; {alter} RENAME COLUMN {right.Name} TO {left.Name}; {alter} RENAME COLUMN passing TO {right.Name}";
            case StepKind.WidenType:
                if (Column(table, ValueKind.VarChar) is { } narrow) return Retype(table, narrow, ValueKind.Text, "text");
                return Column(table, ValueKind.Text) is { } text ? Retype(table, text, ValueKind.VarChar, "varchar") : null;
            case StepKind.ConvertType:
                if (table.Columns.Exists(c => c.Kind == ValueKind.Computed)) return null;
                if (Column(table, ValueKind.Int) is { } number) return Retype(table, number, ValueKind.Text, $"text USING {number.Name}::text || '!'");
                return Column(table, ValueKind.BigInt) is { } big ? Retype(table, big, ValueKind.BigInt, $"bigint USING {big.Name} + 1") : null;
            case StepKind.NotNull:
                if (Column(table) is not { } full || full.Kind == ValueKind.Computed) return null;
                return $"UPDATE {table.Full} SET {full.Name} = {Constant(full.Kind, model)} WHERE {full.Name} IS NULL; {alter} ALTER COLUMN {full.Name} SET NOT NULL; {alter} ALTER COLUMN {full.Name} DROP NOT NULL";
            case StepKind.ChangeKey:
                var key = table.IsPartitioned ? (random.Next(2) == 0 ? "code, id" : "id, code") : random.Next(3) switch { 0 => "id", 1 => "code, id", _ => "id, code" };
                return random.Next(4) == 0
                    ? $"{alter} REPLICA IDENTITY {(table.IsPartitioned || random.Next(2) == 0 ? "DEFAULT" : "FULL")}"
                    : $"{alter} DROP CONSTRAINT {table.KeyName}, ADD CONSTRAINT {table.KeyName} PRIMARY KEY ({key})";
            case StepKind.Identity:
                return table.IsPartitioned ? null : $"{alter} ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (START WITH 900000); {alter} ALTER COLUMN id DROP IDENTITY";
            case StepKind.Generated:
                if (table.Columns.Exists(c => c.Kind == ValueKind.Computed)) return null;
                var computed = model.NewName("g");
                table.Columns.Add((computed, ValueKind.Computed));
                return $"{alter} ADD COLUMN {computed} int GENERATED ALWAYS AS (id * 2) STORED";
            case StepKind.Index or StepKind.PartialIndex or StepKind.IndexConcurrently:
                if (Column(table) is not { } indexed || (kind == StepKind.IndexConcurrently && table.IsPartitioned)) return null;
                var index = model.NewName("i");
                table.Indexes.Add($"{index} {indexed.Name} ");
                return kind switch
                {
                    StepKind.PartialIndex when table.Indexes.Count % 2 == 0 => $"CREATE INDEX {index} ON {table.Full} ({Expression}, {indexed.Name})",
                    StepKind.PartialIndex => $"CREATE INDEX {index} ON {table.Full} ({indexed.Name}) WHERE id > 10",
                    StepKind.IndexConcurrently => $"CREATE INDEX CONCURRENTLY {index} ON {table.Full} ({indexed.Name}, id DESC)",
                    _ => $"CREATE {(random.Next(3) == 0 ? "UNIQUE " : "")}INDEX {index} ON {table.Full} (id, code, {indexed.Name}{(random.Next(2) == 0 ? " DESC" : "")})",
                };
            case StepKind.DropIndex:
                if (table.Indexes.Count == 0) return null;
                var gone = table.Indexes[random.Next(table.Indexes.Count)];
                table.Indexes.Remove(gone);
                return $"DROP INDEX {table.Schema}.{gone.Split(' ')[0]}";
            default:
                return null;
        }
    }

    public string Rows(ModelTable table, ProgramModel model)
    {
        var settable = table.Columns.Where(c => c.Kind != ValueKind.Computed).ToList();
        switch (random.Next(5))
        {
            case 0 or 1:
                var count = random.Next(1, 30);
                model.Rows += count;
                var names = settable.Select(c => $", {c.Name}");
                var values = settable.Select(c => $", {Varying(c.Kind, model)}");
                return $"INSERT INTO {table.Full} (id, code{string.Concat(names)}) SELECT g, {(table.IsPartitioned ? "'" + (char)('a' + random.Next(table.NextBound)) + "' || g" : "'c' || g % 5")}{string.Concat(values)} FROM generate_series({model.Rows - count + 1}, {model.Rows}) AS g";
            case 2 when settable.Count > 0:
                var set = settable[random.Next(settable.Count)];
                return $"UPDATE {table.Full} SET {set.Name} = {Constant(set.Kind, model)} WHERE id % {random.Next(2, 5)} = 0";
            case 3:
                return $"UPDATE {table.Full} SET id = -id WHERE id > 0 AND id % {random.Next(3, 9)} = 1";
            default:
                return $"DELETE FROM {table.Full} WHERE id % {random.Next(7, 12)} = {random.Next(5)}";
        }
    }

    private string Create(ProgramModel model)
    {
        var isPartitioned = random.Next(4) == 0;
        var table = new ModelTable { Schema = schema, Name = model.NewName("t"), KeyName = model.NewName("key"), IsPartitioned = isPartitioned };
        var columns = Enumerable.Range(0, random.Next(1, 5)).Select(_ => Add(table, model)).ToList();
        var key = isPartitioned || random.Next(3) == 0 ? "id, code" : "id";
        var sql = $"CREATE TABLE {table.Full} (id int NOT NULL, code text NOT NULL DEFAULT 'c', {string.Join(", ", columns)}, CONSTRAINT {table.KeyName} PRIMARY KEY ({key}))"
            + (isPartitioned ? $" PARTITION BY RANGE (code); {Partition(StepKind.CreatePartition, table, model)}" : "");
        model.Tables.Add(table);
        return $"{sql}; {Rows(table, model)}";
    }

    private string CreateAs(ModelTable from, ProgramModel model)
    {
        var table = new ModelTable { Schema = schema, Name = model.NewName("t"), KeyName = model.NewName("key") };
        foreach (var column in from.Columns.Where(c => c.Kind != ValueKind.Computed)) table.Columns.Add(column);
        model.Tables.Add(table);
        return $"CREATE TABLE {table.Full} AS SELECT id, code{string.Concat(table.Columns.Select(c => $", {c.Name}"))} FROM {from.Full}; "
            + $"ALTER TABLE {table.Full} ADD CONSTRAINT {table.KeyName} PRIMARY KEY (id, code)";
    }

    private static string Drop(ModelTable table, ProgramModel model)
    {
        model.Tables.Remove(table);
        return $"DROP TABLE {table.Full}";
    }

    private string DropAndCreate(ModelTable table, ProgramModel model)
    {
        table.Columns.Clear();
        table.Indexes.Clear();
        var columns = Enumerable.Range(0, random.Next(1, 4)).Select(_ => Add(table, model)).ToList();
        return $"DROP TABLE {table.Full}; CREATE TABLE {table.Full} (id int NOT NULL, code text NOT NULL DEFAULT 'c', {string.Join(", ", columns)}, CONSTRAINT {table.KeyName} PRIMARY KEY (id)); {Rows(table, model)}";
    }

    private static string Publication(ModelTable table) =>
        $"ALTER PUBLICATION dbsync_main DROP TABLE {table.Full}; DELETE FROM {table.Full} WHERE id % 3 = 0; ALTER PUBLICATION dbsync_main ADD TABLE {table.Full}";

    private string AddLabel(ProgramModel model)
    {
        var label = model.NewName("label ");
        var beside = model.Moods[random.Next(model.Moods.Count)];
        model.Moods.Add(label);
        return $"ALTER TYPE {schema}.mood ADD VALUE '{label}' {(random.Next(2) == 0 ? "BEFORE" : "AFTER")} '{beside}'";
    }

    private string RenameLabel(ProgramModel model)
    {
        var (at, now) = (random.Next(model.Moods.Count), model.NewName("renamed "));
        var was = model.Moods[at];
        model.Moods[at] = now;
        return $"ALTER TYPE {schema}.mood RENAME VALUE '{was}' TO '{now}'";
    }

    private string? Partition(StepKind kind, ModelTable table, ProgramModel model)
    {
        if (kind == StepKind.Detach)
        {
            if (table.Partitions.Count < 2) return null;
            var gone = table.Partitions[^1];
            table.Partitions.Remove(gone);
            table.NextBound--;
            return random.Next(2) == 0 ? $"ALTER TABLE {table.Full} DETACH PARTITION {gone}; UPDATE {gone} SET id = id" : $"DROP TABLE {gone}";
        }
        if (table.NextBound > 12) return null;
        var part = $"{schema}.{model.NewName("part")}";
        var letter = (char)('a' + table.NextBound);
        var bounds = $"FROM ('{letter}') TO ('{(char)(letter + 1)}')";
        table.NextBound++;
        table.Partitions.Add(part);
        if (kind == StepKind.CreatePartition) return $"CREATE TABLE {part} PARTITION OF {table.Full} FOR VALUES {bounds}";
        model.Rows++;
        return $"CREATE TABLE {part} (LIKE {table.Full} INCLUDING DEFAULTS INCLUDING GENERATED); INSERT INTO {part} (id, code) VALUES ({model.Rows}, '{letter}'); ALTER TABLE {table.Full} ATTACH PARTITION {part} FOR VALUES {bounds}";
    }

    private string Add(ModelTable table, ProgramModel model, ValueKind? kind = null)
    {
        var (name, of) = (model.NewName("c"), kind ?? AnyKind());
        table.Columns.Add((name, of));
        return $"{name} {TypeOf(of)}";
    }

    private static string Retype(ModelTable table, (string Name, ValueKind Kind) column, ValueKind kind, string type)
    {
        table.Columns[table.Columns.IndexOf(column)] = (column.Name, kind);
        return $"ALTER TABLE {table.Full} ALTER COLUMN {column.Name} TYPE {type}";
    }

    private static string Rename(ModelTable table, (string Name, ValueKind Kind) column, string name, (string Name, ValueKind Kind)? other = null)
    {
        table.Columns[table.Columns.IndexOf(column)] = (name, column.Kind);
        if (other is { } swapped) table.Columns[table.Columns.LastIndexOf(swapped)] = (column.Name, swapped.Kind);
        for (var i = 0; i < table.Indexes.Count; i++)
        {
            var parts = table.Indexes[i].Split(' ');
            if (parts[1] == column.Name) table.Indexes[i] = $"{parts[0]} {name} ";
            else if (other is not null && parts[1] == name) table.Indexes[i] = $"{parts[0]} {column.Name} ";
        }
        return name;
    }

    private ModelTable? Table(ProgramModel model, Func<ModelTable, bool>? which = null)
    {
        var tables = model.Tables.Where(which ?? (_ => true)).ToList();
        return tables.Count == 0 ? null : tables[random.Next(tables.Count)];
    }

    private (string Name, ValueKind Kind)? Column(ModelTable table, ValueKind? kind = null)
    {
        var columns = table.Columns.Where(c => kind is null || c.Kind == kind).ToList();
        return columns.Count == 0 ? null : columns[random.Next(columns.Count)];
    }

    private ValueKind AnyKind() => Plain[random.Next(Plain.Length)];

    private string TypeOf(ValueKind kind) => kind switch
    {
        ValueKind.Int => "int",
        ValueKind.BigInt => "bigint",
        ValueKind.Text => "text",
        ValueKind.VarChar => "varchar(60)",
        ValueKind.Numeric => "numeric(12,3)",
        ValueKind.Real => "float8",
        ValueKind.Flag => "bool",
        ValueKind.Time => "timestamptz",
        ValueKind.Mood => $"{schema}.mood",
        ValueKind.Domain => $"{schema}.small",
        _ => "bytea",
    };

    private string Constant(ValueKind kind, ProgramModel model) => kind switch
    {
        ValueKind.Int or ValueKind.BigInt or ValueKind.Domain => $"{random.Next(-50, 5000)}",
        ValueKind.Text or ValueKind.VarChar => $"'it''s {random.Next(100)}'",
        ValueKind.Numeric => $"{random.Next(1000)}.50",
        ValueKind.Real => random.Next(5) == 0 ? "'NaN'" : $"{random.Next(100)}.1",
        ValueKind.Flag => "true",
        ValueKind.Time => $"'2024-02-29 12:{random.Next(10, 59)}:00+02'",
        ValueKind.Mood => $"'{model.Moods[random.Next(3)]}'",
        _ => $"'\\x{random.Next(16, 255):x2}'",
    };

    private string Varying(ValueKind kind, ProgramModel model) => kind switch
    {
        ValueKind.Int or ValueKind.BigInt or ValueKind.Domain => $"g * {random.Next(1, 9)} % 97",
        ValueKind.Text or ValueKind.VarChar => "'v' || g",
        ValueKind.Numeric => "g / 3.0",
        ValueKind.Real => "g / 7.0",
        ValueKind.Flag => "g % 2 = 0",
        ValueKind.Time => "'2024-01-01Z'::timestamptz + g * interval '1 minute'",
        ValueKind.Mood => $"(ARRAY['{model.Moods[0]}', '{model.Moods[1]}', NULL])[1 + g % 3]::{schema}.mood",
        _ => "decode(md5(g::text), 'hex')",
    };
}
