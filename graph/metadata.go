package graph

import "net/http"

// serviceDocument answers with the list of what the API has: one singleton (OData JSON Format 4.01,
// section 5).
func (x *exchange) serviceDocument(rt route) error {
	l, err := acceptedLevel("", x.r.Header)
	if err != nil {
		return err
	}
	b := []byte("{")
	if l != none {
		b = appendText(append(b, `"@odata.context":`...), x.h.conf.Root(x.r)+"/"+rt.version+"/$metadata")
		b = append(b, ',')
	}
	b = append(b, `"value":[{"name":"communications","kind":"Singleton","url":"communications"}]}`...)
	x.send(http.StatusOK, l.contentType(), b)
	return nil
}

// metadata answers with the schema. The client gets XML whatever it accepts: this server has no
// other form, and no SDK asks for one.
func (x *exchange) metadata(rt route) error {
	doc := schemaHead + schemaRowV1 + schemaTail
	if rt.version == "beta" {
		doc = schemaHead + schemaRowBeta + schemaTail
	}
	x.send(http.StatusOK, "application/xml;charset=utf-8", []byte(doc))
	return nil
}

// The schema in CSDL (OData CSDL XML Representation 4.01): the part of Microsoft's that the answers
// refer to. As in Microsoft's, the properties are in the order of their names. Those of
// pstnCallLogRow are from learn.microsoft.com, "pstnCallLogRow resource type" of v1.0 and beta,
// November 2026.
const (
	schemaHead = `<?xml version="1.0" encoding="utf-8"?>
<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">
  <edmx:DataServices>
    <Schema Namespace="microsoft.graph" Alias="graph" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EntityType Name="entity" Abstract="true">
        <Key>
          <PropertyRef Name="id" />
        </Key>
        <Property Name="id" Type="Edm.String" Nullable="false" />
      </EntityType>
      <EntityType Name="cloudCommunications" BaseType="graph.entity">
        <NavigationProperty Name="callRecords" Type="Collection(microsoft.graph.callRecords.callRecord)" ContainsTarget="true" />
      </EntityType>
      <ComplexType Name="administrativeUnitInfo">
        <Property Name="id" Type="Edm.String" />
      </ComplexType>
      <EntityContainer Name="GraphService">
        <Singleton Name="communications" Type="microsoft.graph.cloudCommunications" />
      </EntityContainer>
    </Schema>
    <Schema Namespace="microsoft.graph.callRecords" xmlns="http://docs.oasis-open.org/odata/ns/edm">
      <EnumType Name="pstnCallDurationSource">
        <Member Name="microsoft" Value="0" />
        <Member Name="operator" Value="1" />
      </EnumType>
      <EntityType Name="callRecord" BaseType="graph.entity" />
`
	schemaRowV1 = `      <ComplexType Name="directRoutingLogRow">
        <Property Name="calleeNumber" Type="Edm.String" />
        <Property Name="callEndSubReason" Type="Edm.Int32" />
        <Property Name="callerNumber" Type="Edm.String" />
        <Property Name="callType" Type="Edm.String" />
        <Property Name="correlationId" Type="Edm.String" />
        <Property Name="duration" Type="Edm.Int32" />
        <Property Name="endDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="failureDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="finalSipCode" Type="Edm.Int32" />
        <Property Name="finalSipCodePhrase" Type="Edm.String" />
        <Property Name="id" Type="Edm.String" />
        <Property Name="inviteDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="mediaBypassEnabled" Type="Edm.Boolean" />
        <Property Name="mediaPathLocation" Type="Edm.String" />
        <Property Name="signalingLocation" Type="Edm.String" />
        <Property Name="startDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="successfulCall" Type="Edm.Boolean" />
        <Property Name="trunkFullyQualifiedDomainName" Type="Edm.String" />
        <Property Name="userDisplayName" Type="Edm.String" />
        <Property Name="userId" Type="Edm.String" />
        <Property Name="userPrincipalName" Type="Edm.String" />
      </ComplexType>
      <ComplexType Name="pstnCallLogRow">
        <Property Name="callDurationSource" Type="microsoft.graph.callRecords.pstnCallDurationSource" />
        <Property Name="calleeNumber" Type="Edm.String" />
        <Property Name="callerNumber" Type="Edm.String" />
        <Property Name="callId" Type="Edm.String" />
        <Property Name="callType" Type="Edm.String" />
        <Property Name="charge" Type="Edm.Decimal" Scale="variable" />
        <Property Name="conferenceId" Type="Edm.String" />
        <Property Name="connectionCharge" Type="Edm.Decimal" Scale="variable" />
        <Property Name="currency" Type="Edm.String" />
        <Property Name="destinationContext" Type="Edm.String" />
        <Property Name="destinationName" Type="Edm.String" />
        <Property Name="duration" Type="Edm.Int32" />
        <Property Name="endDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="id" Type="Edm.String" />
        <Property Name="inventoryType" Type="Edm.String" />
        <Property Name="licenseCapability" Type="Edm.String" />
        <Property Name="operator" Type="Edm.String" />
        <Property Name="startDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="tenantCountryCode" Type="Edm.String" />
        <Property Name="usageCountryCode" Type="Edm.String" />
        <Property Name="userDisplayName" Type="Edm.String" />
        <Property Name="userId" Type="Edm.String" />
        <Property Name="userPrincipalName" Type="Edm.String" />
      </ComplexType>
`
	schemaRowBeta = `      <ComplexType Name="callLogRow" Abstract="true">
        <Property Name="administrativeUnitInfos" Type="Collection(graph.administrativeUnitInfo)" />
        <Property Name="id" Type="Edm.String" />
        <Property Name="otherPartyCountryCode" Type="Edm.String" />
        <Property Name="userDisplayName" Type="Edm.String" />
        <Property Name="userId" Type="Edm.String" />
        <Property Name="userPrincipalName" Type="Edm.String" />
      </ComplexType>
      <ComplexType Name="directRoutingLogRow" BaseType="microsoft.graph.callRecords.callLogRow">
        <Property Name="calleeNumber" Type="Edm.String" />
        <Property Name="callEndSubReason" Type="Edm.Int32" />
        <Property Name="callerNumber" Type="Edm.String" />
        <Property Name="callType" Type="Edm.String" />
        <Property Name="correlationId" Type="Edm.String" />
        <Property Name="duration" Type="Edm.Int32" />
        <Property Name="endDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="failureDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="finalSipCode" Type="Edm.Int32" />
        <Property Name="finalSipCodePhrase" Type="Edm.String" />
        <Property Name="inviteDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="mediaBypassEnabled" Type="Edm.Boolean" />
        <Property Name="mediaPathLocation" Type="Edm.String" />
        <Property Name="signalingLocation" Type="Edm.String" />
        <Property Name="startDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="successfulCall" Type="Edm.Boolean" />
        <Property Name="transferorCorrelationId" Type="Edm.String" />
        <Property Name="trunkFullyQualifiedDomainName" Type="Edm.String" />
        <Property Name="userCountryCode" Type="Edm.String" />
      </ComplexType>
      <ComplexType Name="pstnCallLogRow" BaseType="microsoft.graph.callRecords.callLogRow">
        <Property Name="callDurationSource" Type="microsoft.graph.callRecords.pstnCallDurationSource" />
        <Property Name="calleeNumber" Type="Edm.String" />
        <Property Name="callerNumber" Type="Edm.String" />
        <Property Name="callId" Type="Edm.String" />
        <Property Name="callType" Type="Edm.String" />
        <Property Name="charge" Type="Edm.Decimal" Scale="variable" />
        <Property Name="clientLocalIpV4Address" Type="Edm.String" />
        <Property Name="clientLocalIpV6Address" Type="Edm.String" />
        <Property Name="clientPublicIpV4Address" Type="Edm.String" />
        <Property Name="clientPublicIpV6Address" Type="Edm.String" />
        <Property Name="conferenceId" Type="Edm.String" />
        <Property Name="connectionCharge" Type="Edm.Decimal" Scale="variable" />
        <Property Name="currency" Type="Edm.String" />
        <Property Name="destinationContext" Type="Edm.String" />
        <Property Name="destinationName" Type="Edm.String" />
        <Property Name="duration" Type="Edm.Int32" />
        <Property Name="endDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="inventoryType" Type="Edm.String" />
        <Property Name="licenseCapability" Type="Edm.String" />
        <Property Name="operator" Type="Edm.String" />
        <Property Name="startDateTime" Type="Edm.DateTimeOffset" />
        <Property Name="tenantCountryCode" Type="Edm.String" />
        <Property Name="usageCountryCode" Type="Edm.String" />
      </ComplexType>
`
	schemaTail = `      <Function Name="getDirectRoutingCalls" IsBound="true">
        <Parameter Name="bindingParameter" Type="Collection(microsoft.graph.callRecords.callRecord)" />
        <Parameter Name="fromDateTime" Type="Edm.DateTimeOffset" />
        <Parameter Name="toDateTime" Type="Edm.DateTimeOffset" />
        <ReturnType Type="Collection(microsoft.graph.callRecords.directRoutingLogRow)" />
      </Function>
      <Function Name="getPstnCalls" IsBound="true">
        <Parameter Name="bindingParameter" Type="Collection(microsoft.graph.callRecords.callRecord)" />
        <Parameter Name="fromDateTime" Type="Edm.DateTimeOffset" />
        <Parameter Name="toDateTime" Type="Edm.DateTimeOffset" />
        <ReturnType Type="Collection(microsoft.graph.callRecords.pstnCallLogRow)" />
      </Function>
    </Schema>
  </edmx:DataServices>
</edmx:Edmx>
`
)
